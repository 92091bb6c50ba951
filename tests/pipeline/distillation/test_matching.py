"""Which feature maps of student and teacher are compared, and how."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveate.pipeline.distillation.matching import FeatureMatch, Pair, Shape, feature_maps, pair_up, shapes_of
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model

PYRAMID = [Shape(8, 4), Shape(16, 8), Shape(24, 16), Shape(32, 32)]


@pytest.mark.parametrize(
    ("teacher", "pairs"),
    [
        ([Shape(3, 2), *PYRAMID], [Pair(0, 1), Pair(1, 2), Pair(2, 3), Pair(3, 4)]),
        ([Shape(5, 16), Shape(5, 16)], [Pair(2, 1), Pair(3, 1)]),  # a ViT: the last of its equal strides
        ([Shape(5, 14)], [Pair(2, 0), Pair(3, 0)]),
        ([Shape(5, 64)], [Pair(3, 0)]),
    ],
)
def test_maps_of_equal_stride_are_paired_and_the_last_one_always(teacher: list[Shape], pairs: list[Pair]) -> None:
    assert pair_up(PYRAMID, teacher) == pairs


def test_shapes_are_found_and_the_encoder_stays_as_it_was() -> None:
    encoder = create_model("mscan_t+light_ham", num_classes=2).train().encoder
    assert isinstance(encoder, nn.Module)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    assert shapes_of(encoder, 64) == [Shape(32, 4), Shape(64, 8), Shape(160, 16), Shape(256, 32)]
    assert encoder.training
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_a_vector_is_a_map_of_one_position_and_tokens_are_refused() -> None:
    images = torch.zeros(2, 3, 8, 8)
    assert feature_maps(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), images)[0].shape == (2, 3, 1, 1)
    with pytest.raises(ConfigError, match="gives no feature maps"):
        feature_maps(nn.Flatten(2), images)


def identical(match: FeatureMatch) -> None:
    """Let the layer between student and teacher copy the student."""
    for head in match.heads:
        assert isinstance(head, nn.Conv2d)
        nn.init.dirac_(head.weight)
        nn.init.zeros_(head.bias)  # type: ignore[arg-type]


def test_standardised_features_of_the_teacher_are_matched_exactly() -> None:
    match = FeatureMatch([Shape(4, 8)], [Shape(4, 8)])
    identical(match)
    theirs = torch.randn(6, 4, 5, 5) * torch.tensor([0.1, 1, 10, 100])[:, None, None] + 7
    match.standardise([[theirs[:3]], [theirs[3:]]])
    perfect = (theirs - theirs.mean((0, 2, 3), keepdim=True)) / theirs.std((0, 2, 3), keepdim=True, correction=0)
    loss, cosine = match([perfect], [theirs])
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)
    assert float(cosine.detach()) == pytest.approx(1, abs=1e-5)
    assert float(match([-perfect], [theirs]).cosine.detach()) == pytest.approx(-1, abs=1e-5)


def test_a_channel_that_never_changes_does_not_blow_up() -> None:
    match = FeatureMatch([Shape(2, 8)], [Shape(2, 8)])
    theirs = torch.stack([torch.randn(2, 4, 4), torch.full((2, 4, 4), 3.0)], 1)
    match.standardise([[theirs]])
    assert match([torch.randn(2, 2, 4, 4)], [theirs]).loss.isfinite()


def test_the_coarser_grid_decides() -> None:
    match = FeatureMatch([Shape(2, 4)], [Shape(2, 16)])
    identical(match)
    coarse = torch.randn(1, 2, 2, 2)
    fine = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert float(match([fine], [coarse]).loss.detach()) == pytest.approx(0, abs=1e-6)
    assert float(match([coarse], [fine]).loss.detach()) == pytest.approx(0, abs=1e-6)
