"""The decoders of segmentation-models-pytorch over the features of any encoder, without trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.naming import nearest
from foveate.pipeline.models.smp.grid import Features, Grid
from foveate.pipeline.models.smp.names import ARCHITECTURES, PREFIX, list_decoders
from foveate.pipeline.models.smp.networks import build_network
from foveate.plugins.blocks import SlotSpec, create_slot

TAKES_ANY = "FPN, UPerNet and Segformer take the features of any encoder"


class SmpDecoder(nn.Module):
    """A decoder of the library and its segmentation head, with the slot `decoder` between them.

    Keys are the library's under `decoder.` and `segmentation_head.`.

    Args:
        decoder: From the laid out features to one, finer one.
        segmentation_head: From that to logits; it may upsample.
        grid: Which of the encoder's features are taken, and how they are laid out.
        strides: Stride of each feature of the encoder.
        attention: Blocks for the slot `decoder`.
    """

    stride = 1  # measured when built

    def __init__(
        self, decoder: nn.Module, segmentation_head: nn.Module, grid: Grid, strides: Sequence[int], attention: SlotSpec
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.segmentation_head = segmentation_head
        self.grid = grid
        self.finest = strides[0]
        width = next(module.in_channels for module in segmentation_head.modules() if isinstance(module, nn.Conv2d))
        self.attention = create_slot(attention, width)

    def decode(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        """Logits of the whole canvas, before they are cut to the image."""
        decoded = self.attention(self.decoder(self.grid.lay_out(features)))
        logits: Tensor = self.segmentation_head(decoded)
        return logits

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        height, width = (-(-side * self.finest // self.stride) for side in features[0].shape[2:])
        return self.decode(features)[..., :height, :width]


class DptDecoder(SmpDecoder):
    """DPT's decoder without class tokens, which our encoders do not give."""

    def decode(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        laid_out = self.grid.lay_out(features)
        logits: Tensor = self.segmentation_head(self.attention(self.decoder(laid_out, [None] * len(laid_out))))
        return logits


def _measure_stride(model: SmpDecoder, encoder: Features) -> int:
    """Pixels between two logits, by running the decoder over small features of zeros."""
    side = 2 * model.grid.multiple  # a single position is too few for some norms
    sides = [-(-side // stride) for stride in encoder.strides]
    features = [torch.zeros(1, width, side, side) for width, side in zip(encoder.channels, sides, strict=True)]
    with torch.no_grad():
        rows = model.eval().decode(features).shape[2]
    model.train()
    height = model.grid.canvas(features)[0]
    if rows > height:
        raise ConfigError(f"upsampling: {rows} rows of logits for {height} of the image; ask for less")
    return height // rows


def create_decoder(
    name: str,
    *,
    in_channels: Sequence[int],
    strides: Sequence[int],
    num_classes: int,
    attention: SlotSpec = None,
    **options: Any,
) -> SmpDecoder:
    """Build a decoder of the library, with its segmentation head, over the features of any encoder.

    A decoder wants features at strides 2, 4, 8, 16 and 32 (`encoder_depth` of them); each is the encoder's nearest,
    resized where the stride is another. Without one at stride 2 an empty feature stands there, as in the library.
    DeepLabV3, DeepLabV3Plus and PAN want the last feature at `encoder_output_stride` (8, 16, 16): an encoder that was
    not built with that `output_stride` has its last features resized up. PSPNet takes strides 2 to 8 unless
    `encoder_depth` says more: the encoder's later stages then learn nothing. DPT takes four features, and no class
    token.

    Args:
        name: smp:ARCHITECTURE, one of `list_decoders()`.
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each.
        num_classes: Channels of the logits.
        attention: Blocks for the slot `decoder`, before the segmentation head.
        options: What the library's architecture takes, such as decoder_channels.

    Raises:
        ConfigError: The name is unknown, an option is not accepted, or the decoder cannot work over these features.

    Example:
        >>> create_decoder("smp:FPN", in_channels=(24, 32, 48, 64), strides=(4, 8, 16, 32), num_classes=5).stride
        1
    """
    architecture = name.removeprefix(PREFIX)
    if architecture not in ARCHITECTURES:
        close = nearest(name, list_decoders())
        hint = f"; did you mean {close!r}?" if close else ""
        accepted = ", ".join(ARCHITECTURES)
        raise ConfigError(
            f"segmentation-models-pytorch has no decoder named {architecture!r}{hint} (accepted: {accepted})"
        )
    kind = DptDecoder if architecture == "DPT" else SmpDecoder
    features = Features(channels=tuple(in_channels), strides=tuple(strides))
    try:
        network = build_network(architecture, features, num_classes, options)
        model = kind(network.decoder, network.segmentation_head, network.grid, strides, attention)
        model.stride = _measure_stride(model, features)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ConfigError(f"{name} cannot be built so over {features}: {error} ({TAKES_ANY})") from error
    return model
