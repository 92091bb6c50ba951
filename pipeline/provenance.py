"""Which plugin each attention block of a model came from, so that a checkpoint can say what it needs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from foveate.plugins.blocks import SlotSpec, find_offer, list_specs, parse_spec
from foveate.plugins.errors import BlockConfigError, PluginError
from foveate.plugins.manager import PluginManager

Provenance = dict[str, dict[str, str]]
KEY = "foveate_plugins"


def record_providers(attention: Mapping[str, SlotSpec] | None, plugins: PluginManager | None = None) -> Provenance:
    """For each block that is named: distribution, version and entry point of its plugin."""
    return {name: asdict(find_offer(name, plugins).provider) for name in _names(attention or {})}


def check_providers(checkpoint: Mapping[str, Any], plugins: PluginManager | None = None) -> None:
    """Look whether the plugins a checkpoint was written with are installed, before a model is built.

    Raises:
        PluginError: One is missing; the message says what to install.
    """
    recorded: Provenance = checkpoint.get(KEY, {})
    for name, wanted in recorded.items():
        try:
            found = find_offer(name, plugins).provider
        except BlockConfigError:
            raise PluginError(f"the checkpoint needs the block {name!r} of {_describe(wanted)}") from None
        if (found.distribution, found.version) != (wanted["distribution"], wanted["version"]):
            warnings.warn(
                f"block {name!r}: the checkpoint was written with {wanted['distribution']} {wanted['version']}, "
                f"here is {found}",
                stacklevel=2,
            )


def _names(attention: Mapping[str, SlotSpec]) -> Iterator[str]:
    for slot in attention.values():
        for spec in list_specs(slot):
            if isinstance(spec, str | Mapping):
                yield parse_spec(spec)[0]


def _describe(wanted: Mapping[str, str]) -> str:
    distribution, version, point = (wanted[key] for key in ("distribution", "version", "entry_point"))
    if point.startswith("--plugins"):
        return f"a module that was given on the command line; add: {point}"
    return f"{distribution} {version}, which is not installed; try: pip install {distribution}=={version}"
