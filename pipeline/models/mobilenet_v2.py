"""MobileNetV2: inverted residuals with linear bottlenecks.

Source: Sandler et al. 2018, MobileNetV2 (arXiv:1801.04381). Parameter names of the encoder follow torchvision's; the
last convolution and the classifier belong to the head here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.checkpointing import run_block
from foveate.pipeline.models.classifier import Classifier, PooledHead, split_slots
from foveate.pipeline.models.slots import Attention, check_slots, slot_at
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.init import init_weights
from foveate.plugins.ops.batch_norm import BatchNorm2d
from foveate.plugins.ops.depthwise import DepthwiseConv2d

SLOTS = ("block", "stage")
STEM = 32
LAST = 1280  # least channels of the last convolution
# Table 2 of the paper: expansion, channels, blocks, stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
ENDS = (1, 3, 6, 13, 17)  # layers that are the last of their stride
OUTPUT_STRIDES = (8, 16, 32)
WIDTHS = {
    "mobilenet_v2_035": 0.35,
    "mobilenet_v2_050": 0.5,
    "mobilenet_v2_075": 0.75,
    "mobilenet_v2_100": 1.0,
    "mobilenet_v2_130": 1.3,
    "mobilenet_v2_140": 1.4,
}
NAMES = tuple(WIDTHS)


def round_channels(channels: float) -> int:
    """The nearest multiple of 8 that is at least 0.9 of the given width.

    Args:
        channels: The width asked for.

    Example:
        >>> round_channels(11.2), round_channels(33.6)
        (16, 32)
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class Place(NamedTuple):
    """The sizes of one inverted residual."""

    in_channels: int
    channels: int
    expansion: int
    stride: int
    dilation: int


def plan_blocks(width: float, output_stride: int) -> Iterator[Place]:
    """The sizes of the 17 inverted residuals, in order.

    Once the output stride is reached, later strides become dilation, as in DeepLab: the block whose stride is removed
    keeps its dilation, and the blocks after it are dilated.

    Args:
        width: Multiple of the paper's channels.
        output_stride: 8, 16 or 32: the largest stride.
    """
    in_channels, reached, dilation = round_channels(STEM * width), 2, 1
    for expansion, base, count, first_stride in STAGES:
        channels = round_channels(base * width)
        for stride in (first_stride, *[1] * (count - 1)):
            kept = stride if reached * stride <= output_stride else 1
            yield Place(in_channels, channels, expansion, kept, dilation)
            reached, dilation = reached * kept, dilation * stride // kept
            in_channels = channels


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm and ReLU6.

    Args:
        conv: Without a bias.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv, BatchNorm2d(conv.out_channels), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Expansion by a 1 x 1 convolution, a depthwise 3 x 3, a linear projection; a shortcut where the shapes agree.

    Args:
        place: Its sizes.
        attention: Blocks after the depthwise convolution, on the expanded features.
    """

    def __init__(self, place: Place, attention: SlotSpec) -> None:
        super().__init__()
        hidden = place.in_channels * place.expansion
        layers: list[nn.Module] = (
            [] if place.expansion == 1 else [ConvNormAct(nn.Conv2d(place.in_channels, hidden, 1, bias=False))]
        )
        self.conv = nn.Sequential(
            *layers,
            ConvNormAct(DepthwiseConv2d(hidden, 3, stride=place.stride, dilation=place.dilation, bias=False)),
            nn.Conv2d(hidden, place.channels, 1, bias=False),
            BatchNorm2d(place.channels),
        )
        self.has_shortcut = place.stride == 1 and place.in_channels == place.channels
        self.apply(init_weights)
        self.attention = create_slot(attention, hidden)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B C h w"]:
        *expand, project, norm = self.conv
        hidden = x
        for layer in expand:
            hidden = layer(hidden)
        out: Tensor = norm(project(self.attention(hidden)))
        return x + out if self.has_shortcut else out


class MobileNetV2(nn.Module):
    """Features of an image at strides 2, 4, 8, 16 and 32.

    Convolutions start by their fan-out within a group, as in SegNeXt and timm; torchvision's depthwise ones start
    smaller, a scale that the batch norm after them removes.

    Args:
        width: Multiple of the paper's channels.
        output_stride: 8, 16 or 32: the largest stride; beyond it convolutions are dilated.
        attention: Blocks for the slots `block` (in every inverted residual, after the depthwise convolution) and
            `stage` (after the last layer of each stride).
        in_channels: Channels of the image.

    Raises:
        ConfigError: The output stride is another.
    """

    checkpointing = False  # whether blocks are recomputed in the backward pass

    def __init__(
        self,
        *,
        width: float = 1.0,
        output_stride: int = 32,
        attention: Attention | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if output_stride not in OUTPUT_STRIDES:
            raise ConfigError(f"MobileNetV2 has no output stride {output_stride}; accepted: 8, 16, 32")
        slots = check_slots(attention, SLOTS, "MobileNetV2", stages=len(ENDS))
        stem = ConvNormAct(nn.Conv2d(in_channels, round_channels(STEM * width), 3, stride=2, padding=1, bias=False))
        stages = [bisect_left(ENDS, layer) + 1 for layer in range(1, ENDS[-1] + 1)]  # of each layer after the stem
        places = zip(plan_blocks(width, output_stride), stages, strict=True)
        blocks = [InvertedResidual(place, slot_at(slots, "block", stage)) for place, stage in places]
        self.features = nn.Sequential(stem.apply(init_weights), *blocks)
        self.channels = tuple(round_channels(base * width) for base in (16, 24, 32, 96, 320))
        self.strides = tuple(min(stride, output_stride) for stride in (2, 4, 8, 16, 32))
        for number, channels in enumerate(self.channels, start=1):
            self.add_module(f"attention{number}", create_slot(slot_at(slots, "stage", number), channels))

    def forward(self, x: Float[Tensor, "B I H W"]) -> tuple[Tensor, ...]:
        features: list[Tensor] = []
        for number, layer in enumerate(self.features):
            x = run_block(layer, x, recompute=self.checkpointing and self.training)
            if number in ENDS:
                x = self.get_submodule(f"attention{len(features) + 1}")(x)
                features.append(x)
        return tuple(features)


class MobileNetV2Head(PooledHead):
    """A last 1 x 1 convolution, then the mean over positions, dropout and a linear layer.

    Args:
        in_channels: Width of the encoder's last feature.
        channels: Width of the convolution.
        num_classes: Number of logits K.
        dropout: Rate before the linear layer.
    """

    def __init__(self, in_channels: int, channels: int, num_classes: int, *, dropout: float) -> None:
        super().__init__(channels, num_classes, dropout=dropout)
        nn.init.normal_(self.classifier.weight, std=0.01)
        self.conv = ConvNormAct(nn.Conv2d(in_channels, channels, 1, bias=False)).apply(init_weights)

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K"]:
        return super().forward([self.conv(features[-1])])


def create_encoder(
    name: str, *, in_channels: int = 3, attention: Attention | None = None, output_stride: int = 32
) -> MobileNetV2:
    """Build a MobileNetV2 by the name of its width, without its last convolution.

    Args:
        name: One of `NAMES`.
        in_channels: Channels of the image.
        attention: Blocks for the slots `block` and `stage`.
        output_stride: 8, 16 or 32; see MobileNetV2.
    """
    return MobileNetV2(width=WIDTHS[name], output_stride=output_stride, attention=attention, in_channels=in_channels)


def create_classifier(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    attention: Attention | None = None,
    output_stride: int = 32,
    dropout: float = 0.2,
) -> Classifier:
    """Build a MobileNetV2 with its head.

    Args:
        name: One of `NAMES`.
        num_classes: Number of logits.
        in_channels: Channels of the image.
        attention: Blocks for the slots `input` (before the encoder), `block` and `stage`.
        output_stride: 8, 16 or 32; see MobileNetV2.
        dropout: Rate before the linear layer.
    """
    before, inside = split_slots(attention, SLOTS, name)
    encoder = create_encoder(name, in_channels=in_channels, attention=inside, output_stride=output_stride)
    last = max(LAST, round_channels(LAST * WIDTHS[name]))
    head = MobileNetV2Head(encoder.channels[-1], last, num_classes, dropout=dropout)
    return Classifier(encoder, head, input=create_slot(before, in_channels))
