"""Mixed and erased batches."""

from __future__ import annotations

import pytest
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mixing import Mixing, MixingConfig

LABEL = torch.tensor([0, 1, 2, 1])
IMAGE = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 8, 8).contiguous()  # each image is its own number


def test_nothing_is_asked_for_and_nothing_is_done() -> None:
    image, label = Mixing(MixingConfig(), 3)(IMAGE, LABEL)
    assert image is IMAGE
    assert label is LABEL


def test_mixup_lays_neighbours_over_each_other_in_the_shares_of_their_labels() -> None:
    image, shares = Mixing(MixingConfig(mixup=1.0), 3)(IMAGE, LABEL)
    torch.testing.assert_close(shares.sum(1), torch.ones(4))
    share = shares[1, 1]  # of image 1, mixed with image 0
    torch.testing.assert_close(image[1], torch.full((3, 8, 8), share.item()))
    assert 0 < share < 1


def test_cutmix_puts_in_a_box_in_the_share_of_its_area() -> None:
    for _ in range(5):
        image, shares = Mixing(MixingConfig(cutmix=1.0), 3)(IMAGE, LABEL)
        kept = (image[1, 0] == 1).float().mean()
        torch.testing.assert_close(shares[1, 1], kept)
        assert set(image[1].unique().tolist()) <= {0.0, 1.0}


def test_mixing_happens_as_often_as_asked() -> None:
    mixing = Mixing(MixingConfig(mixup=0.8, cutmix=1.0, probability=0.25), 3)
    mixed = sum(mixing(IMAGE, LABEL)[1].is_floating_point() for _ in range(400))
    assert 60 < mixed < 140


def test_an_image_alone_keeps_its_label() -> None:
    _, label = Mixing(MixingConfig(mixup=0.8), 3)(IMAGE[:1], torch.tensor([-1]))
    assert label.tolist() == [-1]


def test_erasing_fills_a_box_of_its_own_in_each_image() -> None:
    image, label = Mixing(MixingConfig(erasing=1.0), 3)(torch.zeros(16, 3, 32, 32), torch.zeros(16, dtype=torch.long))
    boxes = image.abs().sum(1) > 0
    assert boxes.flatten(1).any(1).all()
    assert (boxes.flatten(1).float().mean(1) < 0.5).all()
    assert not torch.equal(boxes[0], boxes[1])
    assert label.tolist() == [0] * 16


@pytest.mark.parametrize("options", [{"mixup": -1.0}, {"probability": 1.5}, {"erasing": -0.1}])
def test_figures_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="mixing"):
        MixingConfig(**options)
