"""Suggestions for unknown names of networks: the most similar name that exists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from foveate.plugins import hints
from foveate.plugins.manager import Plugins
from foveate.plugins.output import diverted
from foveate.plugins.records import Decoder, Encoder, resolve

PLUS = "+"  # between encoder and decoder


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The most similar known name, ignoring case, hyphens and library prefix, and with `+` read as `Plus`.

    Args:
        given: The unknown name.
        known: The names that exist.

    Example:
        >>> nearest("deeplabv3+", ["smp:DeepLabV3", "smp:DeepLabV3Plus"]), nearest("unet", ["light_ham", "smp:Unet"])
        ('smp:DeepLabV3Plus', 'smp:Unet')
    """
    return next(iter(hints.nearest(given, known, most=1, similar=0.7)), None)


def suggest_network(name: str, models: Sequence[str], plugins: Plugins) -> str:
    """`; did you mean 'timm:resnet50+smp:Unet'?` if there is a similar network, else an empty text.

    Args:
        name: The unknown name, such as `resnet50+unet`.
        models: Names of published segmenters.
        plugins: Where encoders and decoders are looked up.
    """
    encoder, plus, decoder = name.partition(PLUS)
    head = suggest_decoder(decoder, plugins) if decoder else None
    body = _suggest_encoder(encoder, [] if plus else models, plugins)
    if not plus and body is None and (alone := suggest_decoder(name, plugins)):
        return f"; {alone!r} is a decoder: write ENCODER{PLUS}{alone}, such as mscan_t{PLUS}{alone}"
    if body is None or (decoder and head is None):
        return ""
    whole = body if head is None else f"{body}{PLUS}{head}"
    return f"; did you mean {whole!r}?"


def suggest_decoder(name: str, plugins: Plugins) -> str | None:
    """The most similar decoder of the plugins, including those of libraries.

    Args:
        name: The unknown name.
        plugins: Where decoders are looked up.
    """
    records = [offer.record for offer in plugins.of_kind(Decoder)]
    return nearest(name, [known for record in records for known in _names(record)])


def _names(record: Encoder | Decoder) -> Iterable[str]:
    """The names that a record provides: its own, or those that it lists behind its prefix."""
    if not record.prefix:
        return [record.name]
    with diverted():
        listed: Iterable[str] = resolve(record.names)() if record.names else []
        return list(listed)


def _suggest_encoder(name: str, models: Sequence[str], plugins: Plugins) -> str | None:
    """The most similar encoder, also of a library by its bare name, such as timm's resnet18; known names stay."""
    offers = plugins.of_kind(Encoder)
    if any(offer.record.prefix and name.startswith(f"{offer.record.name}:") for offer in offers):
        return name
    known = [*models, *(offer.record.name for offer in offers if not offer.record.prefix)]
    close = nearest(name, known)
    if close is not None and hints.key_of(close) == hints.key_of(name):
        return close
    behind = (known for offer in offers if offer.record.prefix for known in _names(offer.record))
    return next((known for known in behind if known.partition(":")[2] == name), close)
