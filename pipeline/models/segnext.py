"""SegNeXt T, S, B and L: an MSCAN encoder and a LightHam decoder."""

from __future__ import annotations

from dataclasses import dataclass

from foveate.pipeline.models.conv_attention import create_encoder
from foveate.pipeline.models.light_ham import EvalBases, LightHam
from foveate.pipeline.models.mscan import SLOTS as ENCODER_SLOTS
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.models.slots import Attention, check_slots, split_stage


@dataclass(frozen=True, kw_only=True)
class Variant:
    """An encoder by name, and the sizes of the decoder (arXiv:2209.08575, table 2; ranks of the authors' files)."""

    encoder: str
    decoder_channels: int
    rank: int


VARIANTS = {
    "segnext_t": Variant(encoder="mscan_t", decoder_channels=256, rank=16),
    "segnext_s": Variant(encoder="mscan_s", decoder_channels=256, rank=16),
    "segnext_b": Variant(encoder="mscan_b", decoder_channels=512, rank=64),
    "segnext_l": Variant(encoder="mscan_l", decoder_channels=1024, rank=64),
}


class SegNeXt(Segmenter):
    """MSCAN encoder and LightHam decoder; `decode` gives logits at stride 8 (or 4 if asked for), sides rounded up."""


def create_segnext(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    attention: Attention | None = None,
    drop_path: float | None = None,
    rank: int | None = None,
    eval_bases: EvalBases = "fixed",
    stride: int | None = None,
) -> SegNeXt:
    """Build a SegNeXt by the name of its variant.

    Args:
        name: segnext_t, segnext_s, segnext_b or segnext_l.
        num_classes: Channels of the logits.
        in_channels: Channels of the image.
        attention: Blocks for the slots `gate` and `stage` of the encoder, and `decoder`.
        drop_path: Rate for the last block, instead of the variant's.
        rank: Bases of the decoder's factorisation, instead of the variant's (16 for every variant in mmseg's weights).
        eval_bases: Whether evaluation starts from bases stored with the weights, or from random ones.
        stride: Of the logits: 8 as published, or 4, where the encoder's first feature refines the result.
    """
    variant = VARIANTS[name]
    slots = check_slots(attention, (*ENCODER_SLOTS, "decoder"), name)
    inside = {slot: spec for slot, spec in slots.items() if split_stage(slot)[0] in ENCODER_SLOTS}
    encoder = create_encoder(variant.encoder, in_channels=in_channels, attention=inside, drop_path=drop_path)
    decoder = LightHam(
        in_channels=encoder.channels,
        strides=encoder.strides,
        channels=variant.decoder_channels,
        rank=rank or variant.rank,
        num_classes=num_classes,
        eval_bases=eval_bases,
        attention=slots.get("decoder"),
        stride=stride,
    )
    return SegNeXt(encoder, decoder)
