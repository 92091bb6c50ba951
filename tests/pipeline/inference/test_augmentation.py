"""Test-time augmentation and weighted windows, against plain loops over the definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.inference import InferenceConfig, infer, infer_classes
from foveate.pipeline.inference.windows import WindowWeights, slide, weights_along
from foveate.pipeline.models import create_model

SCALES = (0.5, 1.0, 1.75)
CLASSES = 5


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("segnext_t", num_classes=CLASSES).eval()


def by_hand(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """The mean probabilities (K, H, W) of one image, window by window and view by view."""
    views = []
    for scale, flip in itertools.product(config.used_scales, (False, True) if config.flips else (False,)):
        size = [int(side * scale + 0.5) for side in image.shape[2:]]
        view = nn.functional.interpolate(image, size=size, mode="bilinear", align_corners=False)
        view = torch.from_numpy(view.numpy()[..., ::-1].copy()) if flip else view
        logits = one_view(network, view, config)
        full = nn.functional.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
        probabilities = full.softmax(1).numpy()[0]
        views.append(probabilities[..., ::-1] if flip else probabilities)
    return torch.from_numpy(np.mean(views, axis=0))


def one_view(network: nn.Module, view: Tensor, config: InferenceConfig) -> Tensor:
    if config.mode == "whole":
        return network(view)
    height, width = view.shape[2:]
    tall, wide = min(config.size[0], height), min(config.size[1], width)
    total, count = torch.zeros(1, CLASSES, height, width), torch.zeros(height, width)
    tops = sorted({*range(0, height - tall, config.stride[0]), height - tall})
    lefts = sorted({*range(0, width - wide, config.stride[1]), width - wide})
    weight = np.outer(profile(tall, config.window_weights), profile(wide, config.window_weights))
    for top, left in itertools.product(tops, lefts):
        logits = network(view[..., top : top + tall, left : left + wide])
        total[..., top : top + tall, left : left + wide] += logits * torch.from_numpy(weight).float()
        count[top : top + tall, left : left + wide] += torch.from_numpy(weight).float()
    return total / count


def profile(length: int, kind: str) -> list[float]:
    middle = (length - 1) / 2
    if kind == "gaussian":
        return [float(np.exp(-((place - middle) ** 2) / (2 * (length / 8) ** 2))) for place in range(length)]
    if kind == "linear":
        return [min(place + 1, length - place) / ((length + 1) // 2) for place in range(length)]
    return [1.0] * length


@pytest.mark.parametrize("size", [(37, 70), (32, 64), (20, 21)], ids=str)
@pytest.mark.parametrize("mode", ["whole", "slide"])
@torch.inference_mode()
def test_probabilities_are_averaged_over_scales_and_flips(mode: str, size: tuple[int, int], network: nn.Module) -> None:
    settings = {"mode": mode, "size": (32, 48), "stride": (24, 20), "scales": SCALES, "flip": True}
    config = InferenceConfig(**settings)  # type: ignore[arg-type]
    image = torch.randn(1, 3, *size)
    expected = by_hand(network, image, config)
    logits = infer(network, image, config)
    torch.testing.assert_close(logits.exp()[0], expected, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(logits.softmax(1)[0], expected, atol=2e-5, rtol=1e-4)
    assert torch.equal(infer_classes(network, image, config), logits.argmax(1))


@pytest.mark.parametrize("weights", ["uniform", "linear", "gaussian"])
@pytest.mark.parametrize("stride", [(24, 20), (5, 7), (32, 48)], ids=str)
@pytest.mark.parametrize("size", [(37, 131), (70, 49), (20, 21), (32, 48)], ids=str)
@torch.inference_mode()
def test_windows_are_weighted_and_averaged(
    size: tuple[int, int], stride: tuple[int, int], weights: WindowWeights, network: nn.Module
) -> None:
    config = InferenceConfig(mode="slide", size=(32, 48), stride=stride, window_weights=weights)
    image = torch.randn(1, 3, *size)
    logits = infer(network, image, config)
    torch.testing.assert_close(logits, one_view(network, image, config), atol=1e-4, rtol=1e-4)
    assert torch.equal(infer_classes(network, image, config), logits.argmax(1))


@pytest.mark.slow
def test_what_is_kept_follows_the_overlap_and_not_the_image() -> None:
    kept: list[int] = []

    def network(window: Tensor) -> Tensor:
        kept.append(sum(held.numel() for held in living() if held.ndim == 4 and held.shape[1] == CLASSES))
        return window[:, :1].expand(-1, CLASSES, -1, -1).clone()

    def living() -> list[Tensor]:
        import gc

        return [found for found in gc.get_objects() if type(found) is Tensor]

    config = InferenceConfig(mode="slide", size=(32, 32), stride=(24, 24))
    most = []
    for height in (64, 640):
        kept.clear()
        image = torch.randn(1, 3, height, 64)
        for area in slide(network, lambda rows, columns, image=image: image[..., rows, columns], (height, 64), config):
            del area
        most.append(max(kept))
    assert most[0] == most[1] > 0


def test_the_papers_protocol_has_six_scales_and_flips() -> None:
    config = InferenceConfig(protocol="multi_scale")
    assert (config.used_scales, config.flips) == ((0.5, 0.75, 1.0, 1.25, 1.5, 1.75), True)
    single = InferenceConfig()
    assert (single.used_scales, single.flips, single.augments) == ((1.0,), False, False)
    mixed = InferenceConfig(protocol="multi_scale", scales=(1.0,), flip=False)
    assert not mixed.augments


def test_scales_are_relative_to_the_short_side() -> None:
    config = InferenceConfig(short_side=512, long_side=2048, multiple_of=32)
    assert config.fitted((600, 1000), 0.5) == (256, 448)
    assert config.fitted((100, 1000), 1.75) == (384, 3584)


@pytest.mark.parametrize("scales", [(), (0.0, 1.0), (-1.0,), (9.0,)], ids=str)
def test_impossible_scales_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="scales are one or more numbers above 0"):
        InferenceConfig(scales=scales)


@pytest.mark.parametrize("kind", ["uniform", "linear", "gaussian"])
@pytest.mark.parametrize("length", [1, 2, 7, 1024])
def test_weights_are_positive_symmetric_and_largest_in_the_middle(length: int, kind: WindowWeights) -> None:
    weights = weights_along(length, kind)
    assert weights.min() > 0
    torch.testing.assert_close(weights, weights.flip(0))
    assert weights.argmax() <= length // 2
    assert weights.max() <= 1


@torch.inference_mode()
def test_a_class_that_no_view_believes_in_has_a_finite_loss() -> None:
    def certain(image: Tensor) -> Tensor:
        return torch.cat([torch.full_like(image[:, :1], 1e4), torch.zeros_like(image[:, :1])], dim=1)

    logits = infer(certain, torch.zeros(1, 3, 4, 4), InferenceConfig(flip=True))
    loss = nn.functional.cross_entropy(logits, torch.ones(1, 4, 4, dtype=torch.long))
    assert torch.isfinite(loss)
