"""From an image of any size to logits at that size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.inference import InferenceConfig, infer, infer_classes, windows

SLIDE = InferenceConfig(mode="slide", size=(8, 10), stride=(5, 7))
Size = tuple[int, int]


def per_pixel(image: Tensor) -> Tensor:
    """A network that looks at each pixel alone."""
    return torch.cat([image.sum(1, keepdim=True), image.prod(1, keepdim=True)], dim=1)


@pytest.mark.parametrize("size", [(8, 10), (20, 33), (9, 11), (3, 4), (8, 40), (1, 1)], ids=str)
def test_windows_cover_every_place_and_stay_inside(size: Size) -> None:
    seen = torch.zeros(size)
    for rows, columns in windows(size, SLIDE.size, SLIDE.stride):
        assert (rows.stop - rows.start, columns.stop - columns.start) == (min(size[0], 8), min(size[1], 10))
        seen[rows, columns] += 1
    assert seen.min() >= 1


def test_windows_are_no_more_than_needed() -> None:
    starts = [(r.start, c.start) for r, c in windows((1024, 2048), (1024, 1024), (768, 768))]
    assert starts == [(0, 0), (0, 768), (0, 1024)]


@pytest.mark.parametrize("size", [(8, 10), (20, 33), (3, 4), (5, 30)], ids=str)
def test_sliding_equals_the_whole_for_a_network_that_looks_at_pixels(size: Size) -> None:
    image = torch.randn(2, 3, *size)
    torch.testing.assert_close(infer(per_pixel, image, SLIDE), infer(per_pixel, image, InferenceConfig()))


def test_overlapping_windows_are_averaged() -> None:
    answers = iter([1.0, 3.0])

    def network(image: Tensor) -> Tensor:
        return torch.full((1, 1, *image.shape[2:]), next(answers))

    config = InferenceConfig(mode="slide", size=(1, 3), stride=(1, 2))
    assert infer(network, torch.zeros(1, 3, 1, 5), config).flatten().tolist() == [1, 1, 2, 3, 3]


@pytest.mark.parametrize(("size", "padded"), [((33, 64), (64, 64)), ((32, 32), (32, 32)), ((1, 65), (32, 96))])
def test_sides_are_padded_to_a_multiple_and_cut_back(size: Size, padded: Size) -> None:
    sizes = []

    def network(image: Tensor) -> Tensor:
        sizes.append(tuple(image.shape[2:]))
        return per_pixel(image)

    image = torch.randn(1, 3, *size)
    logits = infer(network, image, InferenceConfig(multiple_of=32))
    assert sizes == [padded]
    torch.testing.assert_close(logits, per_pixel(image))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (8, 8), "stride": (8, 9)}, "leaves gaps"),
        ({"size": (8, 8), "stride": (0, 4)}, "at least 1"),
        ({"multiple_of": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        InferenceConfig(**settings)  # type: ignore[arg-type]


def test_images_are_resized_to_a_short_side_and_logits_back() -> None:
    sizes = []

    def network(image: Tensor) -> Tensor:
        sizes.append(tuple(image.shape[2:]))
        return per_pixel(image)

    config = InferenceConfig(short_side=32, long_side=64, multiple_of=8)
    for size in ((60, 100), (20, 200), (32, 32)):
        assert infer(network, torch.randn(1, 3, *size), config).shape == (1, 2, *size)
        assert infer_classes(network, torch.randn(1, 3, *size), config).shape == (1, *size)
    assert sizes[::2] == [(32, 56), (8, 64), (32, 32)]


def test_resizing_is_opencvs_bilinear() -> None:
    image = np.random.default_rng(0).random((48, 80, 3), dtype=np.float32)
    seen = []

    def network(resized: Tensor) -> Tensor:
        seen.append(resized)
        return resized

    infer(network, torch.from_numpy(image).permute(2, 0, 1)[None], InferenceConfig(short_side=32))
    expected = cv2.resize(image, (53, 32), interpolation=cv2.INTER_LINEAR)
    torch.testing.assert_close(seen[0][0].permute(1, 2, 0), torch.from_numpy(expected), atol=2e-3, rtol=0)


@pytest.mark.parametrize("wrong", [{"long_side": 9}, {"short_side": 0}, {"short_side": 9, "long_side": 8}])
def test_impossible_sides_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="short_side"):
        InferenceConfig(**wrong)  # type: ignore[arg-type]
