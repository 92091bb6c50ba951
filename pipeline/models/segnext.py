"""SegNeXt T, S, B and L: MSCAN under LightHam."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.light_ham import EvalBases, LightHam
from foveate.pipeline.models.mscan import MSCAN
from foveate.pipeline.models.mscan import SLOTS as ENCODER_SLOTS
from foveate.pipeline.models.slots import Attention, check_slots


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The sizes of a SegNeXt (arXiv:2209.08575, table 2; ranks and drop path from the authors' configurations)."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder_channels: int
    rank: int
    drop_path: float = 0.1


VARIANTS = {
    "segnext_t": Variant(channels=(32, 64, 160, 256), depths=(3, 3, 5, 2), decoder_channels=256, rank=16),
    "segnext_s": Variant(channels=(64, 128, 320, 512), depths=(2, 2, 4, 2), decoder_channels=256, rank=16),
    "segnext_b": Variant(channels=(64, 128, 320, 512), depths=(3, 3, 12, 3), decoder_channels=512, rank=64),
    "segnext_l": Variant(
        channels=(64, 128, 320, 512), depths=(3, 5, 27, 3), decoder_channels=1024, rank=64, drop_path=0.3
    ),
}


class SegNeXt(nn.Module):
    """A segmenter: `encoder` gives features of four stages, `decoder` class logits.

    Calling it gives logits (B, num_classes, H, W) at the size of the image (B, 3, H, W), whatever that is.
    """

    stride = 8  # of the logits that `decode` gives

    def __init__(self, encoder: MSCAN, decoder: LightHam) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def decode(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Logits at an eighth of the image's sides, rounded up."""
        logits: Tensor = self.decoder(self.encoder(image)[1:])
        return logits

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        return F.interpolate(self.decode(image), size=image.shape[2:], mode="bilinear", align_corners=False)


def create_segnext(
    name: str,
    *,
    num_classes: int,
    attention: Attention | None = None,
    drop_path: float | None = None,
    rank: int | None = None,
    eval_bases: EvalBases = "fixed",
) -> SegNeXt:
    """Build a SegNeXt by the name of its variant.

    Args:
        name: segnext_t, segnext_s, segnext_b or segnext_l.
        num_classes: Channels of the logits.
        attention: Blocks for the slots `gate` and `stage` of the encoder, and `decoder`.
        drop_path: Rate for the last block, instead of the variant's.
        rank: Bases of the decoder's factorisation, instead of the variant's (16 for every variant in mmseg's weights).
        eval_bases: Whether evaluation starts from bases stored with the weights, or from random ones.
    """
    variant = VARIANTS[name]
    slots = check_slots(attention, (*ENCODER_SLOTS, "decoder"), name)
    encoder = MSCAN(
        channels=variant.channels,
        depths=variant.depths,
        drop_path=variant.drop_path if drop_path is None else drop_path,
        attention={slot: slots[slot] for slot in ENCODER_SLOTS if slot in slots},
    )
    decoder = LightHam(
        in_channels=variant.channels[1:],
        channels=variant.decoder_channels,
        rank=rank or variant.rank,
        num_classes=num_classes,
        eval_bases=eval_bases,
        attention=slots.get("decoder"),
    )
    return SegNeXt(encoder, decoder)
