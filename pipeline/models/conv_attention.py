"""MSCAN and VAN by name, as encoders and as classifiers. They differ in stem, gate and sizes only."""

from __future__ import annotations

from foveate.pipeline.models import mscan, van
from foveate.pipeline.models.classifier import Classifier, create_pooled_classifier, split_slots
from foveate.pipeline.models.mscan import SLOTS, ConvAttentionEncoder, Variant
from foveate.pipeline.models.slots import Attention

VARIANTS: dict[str, tuple[type[ConvAttentionEncoder], Variant]] = {
    name: (family, variant)
    for family, variants in ((mscan.MSCAN, mscan.VARIANTS), (van.VAN, van.VARIANTS))
    for name, variant in variants.items()
}
NAMES = tuple(VARIANTS)


def create_encoder(
    name: str, *, in_channels: int = 3, attention: Attention | None = None, drop_path: float | None = None
) -> ConvAttentionEncoder:
    """Build an MSCAN or a VAN by the name of its variant.

    Args:
        name: One of `NAMES`.
        in_channels: Channels of the image.
        attention: Blocks for the slots `gate` and `stage`.
        drop_path: Rate for the last block, instead of the variant's.
    """
    family, variant = VARIANTS[name]
    return family(
        channels=variant.channels,
        depths=variant.depths,
        drop_path=variant.drop_path if drop_path is None else drop_path,
        attention=attention,
        in_channels=in_channels,
    )


def create_classifier(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    attention: Attention | None = None,
    drop_path: float | None = None,
    dropout: float = 0.0,
) -> Classifier:
    """Build an MSCAN or a VAN with a linear classifier.

    Args:
        name: One of `NAMES`.
        num_classes: Number of logits.
        in_channels: Channels of the image.
        attention: Blocks for the slots `input` (before the encoder), `gate` and `stage`.
        drop_path: Rate for the last block, instead of the variant's.
        dropout: Rate before the linear layer.
    """
    before, inside = split_slots(attention, SLOTS, name)
    encoder = create_encoder(name, in_channels=in_channels, attention=inside, drop_path=drop_path)
    return create_pooled_classifier(encoder, num_classes, in_channels=in_channels, input=before, dropout=dropout)
