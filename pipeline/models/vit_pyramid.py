"""A feature pyramid from one map, for encoders that keep one scale."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.layers import ChannelLayerNorm


class FeaturePyramid(nn.Module):
    """Maps at a quarter, half, once and twice the stride of one map.

    Finer ones come by transposed convolutions, the coarser by max-pooling. A stride that would not be a whole number
    is left out: of 16, strides 4, 8, 16 and 32 remain; of 2, strides 1, 2 and 4.

    Args:
        channels: Width C of the map. The finer maps have C/4 and C/2 channels, the others C.
        stride: Of the map; each stride given is a quarter, half, once or twice that.

    Source:
        Li et al. 2022, Exploring Plain Vision Transformer Backbones for Object Detection, section 3
        (arXiv:2203.16527), without the convolutions that bring every level to one width: that is the decoder's part.
        Convolutions start as PyTorch's.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        finest = nn.Sequential(
            nn.ConvTranspose2d(channels, half, 2, stride=2),
            ChannelLayerNorm(half, eps=1e-6),
            nn.GELU(),
            nn.ConvTranspose2d(half, quarter, 2, stride=2),
        )
        levels: list[tuple[int, int, nn.Module]] = [
            (stride, channels, nn.Identity()),
            (2 * stride, channels, nn.MaxPool2d(2, ceil_mode=True)),
        ]
        if stride % 2 == 0:
            levels.insert(0, (stride // 2, half, nn.ConvTranspose2d(channels, half, 2, stride=2)))
        if stride % 4 == 0:
            levels.insert(0, (stride // 4, quarter, finest))
        self.strides = tuple(level[0] for level in levels)
        self.channels = tuple(level[1] for level in levels)
        for level_stride, _, layer in levels:
            self.add_module(f"stride{level_stride}", layer)

    def forward(self, x: Float[Tensor, "B C h w"], size: tuple[int, int]) -> tuple[Tensor, ...]:
        """The maps of an image of this height and width, each cut to the image's part of it, rounded up."""
        maps = [self.get_submodule(f"stride{stride}")(x) for stride in self.strides]
        return tuple(
            map_[..., : -(-size[0] // stride), : -(-size[1] // stride)]
            for stride, map_ in zip(self.strides, maps, strict=True)
        )
