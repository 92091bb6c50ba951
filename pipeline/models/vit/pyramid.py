"""A feature pyramid from one feature map, for encoders of a single stride."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.layers import ChannelLayerNorm
from foveate.plugins.ops.gelu import GELU


class FeaturePyramid(nn.Module):
    """Feature maps at a quarter, half, once and twice the stride of one.

    Transposed convolutions make the finer ones, max-pooling the coarser. A stride that would not be a whole number is
    left out: of 16, strides 4, 8, 16 and 32 remain; of 2, strides 1, 2 and 4.

    Args:
        channels: Width C of the input. The finer feature maps have C/4 and C/2 channels, the others C.
        stride: Of the input.
        wanted: The strides to give, among a quarter, half, once and twice that; all if not given.

    Raises:
        ConfigError: A stride is wanted that there is not.

    Source:
        Li et al. 2022, Exploring Plain Vision Transformer Backbones for Object Detection, section 3
        (arXiv:2203.16527), without the convolutions that bring every level to one width, which a decoder has.
        Convolutions start as PyTorch's.
    """

    def __init__(self, channels: int, stride: int, wanted: Sequence[int] | None = None) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        finest = nn.Sequential(
            nn.ConvTranspose2d(channels, half, 2, stride=2),
            ChannelLayerNorm(half, eps=1e-6),
            GELU(),
            nn.ConvTranspose2d(half, quarter, 2, stride=2),
        )
        levels: dict[int, tuple[int, nn.Module]] = {
            stride: (channels, nn.Identity()),
            2 * stride: (channels, nn.MaxPool2d(2, ceil_mode=True)),
        }
        if stride % 2 == 0:
            levels[stride // 2] = half, nn.ConvTranspose2d(channels, half, 2, stride=2)
        if stride % 4 == 0:
            levels[stride // 4] = quarter, finest
        self.strides = tuple(sorted(wanted or levels))
        for each in self.strides:
            if each not in levels:
                raise ConfigError(f"patches of {stride} give no stride {each}; accepted: {sorted(levels)}")
            self.add_module(f"stride{each}", levels[each][1])
        self.channels = tuple(levels[each][0] for each in self.strides)

    def forward(self, x: Float[Tensor, "B C h w"], size: tuple[int, int]) -> tuple[Tensor, ...]:
        """The feature maps of an image, each cut to the image, sides rounded up.

        Args:
            x: The feature map of the patches.
            size: Height and width of the image in pixels.
        """
        maps = [self.get_submodule(f"stride{stride}")(x) for stride in self.strides]
        return tuple(
            map_[..., : -(-size[0] // stride), : -(-size[1] // stride)]
            for stride, map_ in zip(self.strides, maps, strict=True)
        )
