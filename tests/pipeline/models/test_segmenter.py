"""An encoder under a decoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.pipeline.models.segmenter import Segmenter


class Shrink(nn.Module):
    """The mean over squares of the image, at strides 4 and 8."""

    channels, strides = (3, 3), (4, 8)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(F.avg_pool2d(image, stride, ceil_mode=True) for stride in self.strides)


class First(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        assert len(features) == 2
        return F.interpolate(features[0], scale_factor=4 // self.stride)


def test_the_decoder_gets_every_feature_and_its_logits_are_resized() -> None:
    model, image = Segmenter(Shrink(), First(4)), torch.randn(2, 3, 17, 30)
    expected = F.interpolate(model.decode(image), size=(17, 30), mode="bilinear", align_corners=False)
    assert model.stride == 4
    torch.testing.assert_close(model(image), expected)


@pytest.mark.parametrize("size", [(17, 30), (16, 32)], ids=str)
def test_logits_at_stride_1_are_cut_not_resized(size: tuple[int, int]) -> None:
    model, image = Segmenter(Shrink(), First(1)), torch.randn(2, 3, *size)
    assert torch.equal(model(image), model.decode(image)[..., : size[0], : size[1]])
    assert model(image).shape[2:] == size
