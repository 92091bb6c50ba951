"""Records in a checkpoint which plugin each part came from, and checks that these are installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from foveate.pipeline.models import PLUS, list_models
from foveate.plugins.blocks import SlotSpec, list_specs, parse_spec
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Plugins, installed_plugins
from foveate.plugins.records import Block, Decoder, Encoder, Loss, Metric, Record

Provenance = dict[str, dict[str, str]]
KINDS: tuple[type[Record], ...] = (Encoder, Decoder, Loss, Metric, Block)
KEY = "foveate_plugins"


def record_providers(
    attention: Mapping[str, SlotSpec] | None,
    *,
    network: str = "",
    losses: SlotSpec = None,
    metrics: SlotSpec = None,
    plugins: Plugins | None = None,
) -> Provenance:
    """Distribution, version and entry point of each named block, encoder, decoder, loss and metric.

    The key of a block is its name, that of anything else its kind and name, such as "loss dice".
    """
    plugins = plugins or installed_plugins()
    blocks = [(Block, name) for slot in (attention or {}).values() for name in _names(slot)]
    others = [(Loss, name) for name in _names(losses)] + [(Metric, name) for name in _names(metrics)]
    found: Provenance = {}
    for kind, name in [*blocks, *_parts(network), *others]:
        label = name if kind is Block else f"{kind.noun} {name}"
        found[label] = asdict(plugins.find(name, kind).provider)
    return found


def check_providers(checkpoint: Mapping[str, Any], plugins: Plugins | None = None) -> None:
    """Check that the plugins of a checkpoint are installed, before a model is built.

    Raises:
        PluginError: One is missing; the message says what to install.
    """
    recorded: Provenance = checkpoint.get(KEY, {})
    plugins = plugins or installed_plugins()
    for label, wanted in recorded.items():
        kind, name = _filed(label)
        try:
            found = plugins.find(name, kind).provider
        except PluginConfigError:
            needed = f"the checkpoint needs the {kind.noun} {name!r} of"
            broken = [one for one in plugins.left_out if one.provider.distribution == wanted["distribution"]]
            if broken:
                raise PluginError(f"{needed} {wanted['distribution']}, which was left out; {broken[0]}") from None
            raise PluginError(f"{needed} {_describe(wanted)}") from None
        if (found.distribution, found.version) != (wanted["distribution"], wanted["version"]):
            warnings.warn(
                f"{kind.noun} {name!r}: the checkpoint was written with {wanted['distribution']} {wanted['version']}, "
                f"here is {found}",
                stacklevel=2,
            )


def _filed(label: str) -> tuple[type[Record], str]:
    noun, _, name = label.rpartition(" ")
    return next((kind for kind in KINDS if kind.noun == noun), Block), name


def _parts(network: str) -> list[tuple[type[Record], str]]:
    """Encoder and decoder of a network named ENCODER+DECODER."""
    if not network or network in list_models():
        return []
    encoder, _, decoder = network.partition(PLUS)
    return [(Encoder, encoder), *([(Decoder, decoder)] if decoder else [])]


def _names(slot: SlotSpec) -> Iterator[str]:
    for spec in list_specs(slot):
        if isinstance(spec, str | Mapping):
            yield parse_spec(spec)[0]


def _describe(wanted: Mapping[str, str]) -> str:
    distribution, version, point = (wanted[key] for key in ("distribution", "version", "entry_point"))
    if point.startswith("--plugins"):
        return f"a module that was given on the command line; add: {point}"
    return f"{distribution} {version}, which is not installed; try: pip install {distribution}=={version}"
