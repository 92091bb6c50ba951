"""Models by name. Listing them imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.naming import PLUS as PLUS
from foveate.pipeline.models.naming import suggest_decoder, suggest_network
from foveate.pipeline.models.slots import find_slots
from foveate.plugins.building import build_module, check_options
from foveate.plugins.errors import PluginConfigError, PluginError, PluginLeftOutError
from foveate.plugins.guard import tell_positions
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Decoder, Encoder, Record, resolve

if TYPE_CHECKING:
    from torch import nn

    from foveate.pipeline.models.slots import Attention

# Published segmenters by a name of their own: a family is a function `(name, *, num_classes, attention, **options)`.
_SEGMENTERS = {
    "foveate.pipeline.models.segnext:create_segnext": ("segnext_t", "segnext_s", "segnext_b", "segnext_l"),
}

Ends = Mapping[str, Any]  # num_classes, and in_channels where images are not RGB


def list_models() -> list[str]:
    """The names of published segmenters; any `ENCODER+DECODER` is one too, and any encoder a classifier.

    Example:
        >>> list_models()[0]
        'segnext_t'
    """
    return [name for names in _SEGMENTERS.values() for name in names]


def is_segmenter(name: str) -> bool:
    """Whether the model of this name gives logits for each pixel, and not for the image.

    Example:
        >>> is_segmenter("segnext_t"), is_segmenter("mscan_t+light_ham"), is_segmenter("mscan_t")
        (True, True, False)
    """
    return PLUS in name or name in list_models()


def create_model(
    name: str,
    *,
    num_classes: int,
    attention: Attention | None = None,
    in_channels: int = 3,
    plugins: Plugins | None = None,
    **options: Any,
) -> nn.Module:
    """Build a model by name, without trained weights.

    Args:
        name: One of `list_models()`, `ENCODER+DECODER` for a segmenter, or `ENCODER` for a classifier.
        num_classes: Number of classes.
        attention: What sits in the model's attention slots, such as `{"gate": "lka", "stage": ["cbam"]}`.
        in_channels: Channels of the image.
        plugins: Where blocks, encoders and decoders are looked up; the installed plugins if not given.
        **options: What else the model takes; for `ENCODER+DECODER` two mappings, `encoder` and `decoder`.

    Raises:
        ConfigError: The name or an option is unknown.
        PluginError: A block, encoder or decoder is unknown or cannot be built.

    Example:
        >>> model = create_model("segnext_t", num_classes=19, attention={"gate": "lka"})
        >>> model.encoder.channels
        (32, 64, 160, 256)
    """
    plugins = installed_plugins() if plugins is None else plugins
    channels = {} if in_channels == 3 else {"in_channels": in_channels}  # which an encoder of a plugin may not take
    model = _build(name, {"num_classes": num_classes, **channels}, find_slots(attention, plugins), options, plugins)
    tell_positions(model)
    return model


def _build(
    name: str, ends: Ends, attention: Attention | None, options: Mapping[str, Any], plugins: Plugins
) -> nn.Module:
    """The model; `ends` are its numbers of classes and, if not 3, of image channels."""
    family = next((family for family, names in _SEGMENTERS.items() if name in names), None)
    if family is not None:
        build = resolve(family)
        check_options(name, build, options, ("num_classes", "in_channels", "attention"))
        family_model: nn.Module = build(name, attention=attention, **ends, **options)
        return family_model
    encoder, plus, decoder = name.partition(PLUS)
    _check_encoder(name, encoder, plugins)
    if plus:
        return _create_segmenter(encoder, decoder, ends, attention or {}, options, plugins)
    return _create_classifier(encoder, ends, attention, options, plugins)


def _check_encoder(name: str, encoder: str, plugins: Plugins) -> None:
    """Refuse a name that is neither a model's nor an encoder's, with all that there are."""
    known = [offer.record.name + ":NAME" * offer.record.prefix for offer in plugins.of_kind(Encoder)]
    prefixes = {offer.record.name for offer in plugins.of_kind(Encoder) if offer.record.prefix}
    if encoder in known or (":" in encoder and encoder.split(":")[0] in {*prefixes, *_distributions(plugins)}):
        return
    plugins.blame(encoder, Encoder)
    models = list_models()
    if hint := suggest_network(name, models, plugins):
        listed = f"segmenters: {', '.join(models)}, or ENCODER{PLUS}DECODER; see: foveate models list"
        raise ConfigError(f"no network named {name!r}{hint} ({listed})")
    if plugins.left_out:
        plugins.find(encoder, Encoder)  # raises, with the plugins that were left out
    raise ConfigError(
        f"no network named {name!r} (segmenters: {', '.join(models)}, or "
        f"ENCODER+DECODER such as {models[0].replace('segnext', 'mscan')}+light_ham; encoders, each a classifier too: "
        f"{', '.join(known)}; see: foveate models list)"
    )


def _find_decoder(encoder: str, decoder: str, plugins: Plugins) -> Offer[Decoder]:
    """The offer of a decoder; an unknown name is answered with the nearest network, if there is one."""
    try:
        return plugins.find(decoder, Decoder)
    except PluginLeftOutError:
        raise
    except PluginConfigError as error:
        close = suggest_decoder(decoder, plugins)
        if close is None:
            raise
        hint = f"; did you mean {encoder + PLUS + close!r}? (see: foveate plugins list --what decoders)"
        raise PluginConfigError(f"no decoder named {decoder!r}{hint}") from error


def _distributions(plugins: Plugins) -> set[str]:
    return {offer.provider.distribution for offer in plugins.offers}


def _create_segmenter(
    encoder: str,
    decoder: str,
    ends: Ends,
    attention: Attention,
    options: Mapping[str, Any],
    plugins: Plugins,
) -> nn.Module:
    from foveate.pipeline.models.segmenter import Segmenter

    sink = _find_decoder(encoder, decoder, plugins)
    for part in options:
        if part not in ("encoder", "decoder"):
            raise ConfigError(
                f"options of {encoder}{PLUS}{decoder} are {{encoder: {{...}}, decoder: {{...}}}}, not {part!r}"
            )
    slots = {slot: spec for slot, spec in attention.items() if slot != "decoder"}
    source = plugins.find(encoder, Encoder)
    num_classes, channels = ends["num_classes"], {key: ends[key] for key in ends if key != "num_classes"}
    features: Any = build_module(source, encoder, options=options.get("encoder", {}), attention=slots, **channels)
    _expect(source, features, "channels", "strides")
    head = build_module(
        sink,
        decoder,
        options=options.get("decoder", {}),
        in_channels=features.channels,
        strides=features.strides,
        num_classes=num_classes,
        attention=attention.get("decoder"),
    )
    _expect(sink, head, "stride")
    return Segmenter(features, head)


def _create_classifier(
    name: str, ends: Ends, attention: Attention | None, options: Mapping[str, Any], plugins: Plugins
) -> nn.Module:
    offer = plugins.find(name, Encoder)
    if offer.record.classifier is not None:
        return build_module(
            offer,
            name,
            build=offer.record.classifier,
            options=options,
            attention=attention,
            **ends,
        )
    from foveate.pipeline.models.classifier import create_pooled_classifier

    channels = {key: ends[key] for key in ends if key != "num_classes"}
    encoder = build_module(offer, name, options=options, attention=attention, **channels)
    _expect(offer, encoder, "channels")
    return create_pooled_classifier(encoder, ends["num_classes"], **channels)


def _expect(offer: Offer[Record], module: nn.Module, *attributes: str) -> None:
    """Refuse an encoder or decoder that does not say what the rest of the model is built from.

    Raises:
        PluginError: An attribute is missing.
    """
    record = offer.record
    for attribute in attributes:
        if not hasattr(module, attribute):
            raise PluginError(
                f"{record.noun} {record.name!r} of {offer.provider}: its {type(module).__name__} has no "
                f"{attribute!r}, which every {record.noun} has (see docs/plugins.md)"
            )
