"""Large images are labelled area by area, with the classes of one pass, in memory that does not follow their size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from foveate.datasets.labels import CAMVID
from foveate.pipeline.inference import InferenceConfig, ScoredArea, infer_classes, large
from foveate.pipeline.inference.large import empty_bytes, is_large, score_areas
from foveate.pipeline.models import create_model
from foveate.pipeline.models.upsampling import resize_band, upsample
from foveate.pipeline.segmentation import SegmentationTask

CLASSES = 5


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("segnext_t", num_classes=CLASSES).eval()


def normalise(image: Tensor) -> Tensor:
    return image.float() / 64 - 2


def assembled(areas: list[ScoredArea], size: tuple[int, int]) -> Tensor:
    """The classes of all areas, after a look that they cover the image once."""
    seen, out = torch.zeros(size), torch.zeros(1, *size, dtype=torch.int64)
    for area in areas:
        seen[area.rows, area.columns] += 1
        out[area.images, area.rows, area.columns] = area.classes()
    assert bool((seen == 1).all())
    return out


@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(mode="slide", size=(64, 64), stride=(48, 40)),
        InferenceConfig(mode="slide", size=(64, 64), stride=(20, 30), window_weights="gaussian"),
        InferenceConfig(short_side=64, long_side=256, multiple_of=32),
        InferenceConfig(short_side=64, long_side=256, multiple_of=32, protocol="multi_scale"),
        InferenceConfig(short_side=128, mode="slide", size=(64, 64), stride=(48, 40), flip=True),
    ],
    ids=["slide", "gaussian", "resized", "resized-scales", "resized-slide-flip"],
)
@torch.inference_mode()
def test_the_classes_are_those_of_one_pass(config: InferenceConfig, network: nn.Module) -> None:
    image = torch.randint(0, 256, (1, 3, 133, 210), dtype=torch.uint8)
    found = assembled(list(score_areas(network, image, normalise, config)), (133, 210))
    expected = infer_classes(network, normalise(image), config)
    assert (found == expected).float().mean() >= (1 if config.short_side is None else 0.999)  # rounding of the resize


@torch.inference_mode()
def test_a_network_that_looks_at_pixels_cannot_tell_blended_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = InferenceConfig(mode="slide", size=(64, 64), stride=(48, 48), window_weights="linear")
    monkeypatch.setattr(large, "SEEN", seen)
    image = torch.randint(0, 256, (1, 3, 133, 210), dtype=torch.uint8)
    areas = list(score_areas(lambda pixels: pixels, image, normalise, InferenceConfig()))
    assert torch.equal(assembled(areas, (133, 210)), image.long().argmax(1))


@pytest.mark.parametrize("sizes", [((10, 12), (35, 90)), ((90, 70), (13, 11)), ((1, 1), (7, 9)), ((8, 8), (8, 8))])
def test_bands_of_a_resized_image_are_those_of_the_whole(sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (height, width), size = sizes
    source = torch.randn(2, 3, height, width)
    bands = [resize_band(source, size, slice(top, min(top + 3, size[0]))) for top in range(0, size[0], 3)]
    torch.testing.assert_close(torch.cat(bands, 2), upsample(source, size), atol=1e-4, rtol=1e-4)


def test_the_image_that_took_19_gigabytes_is_large_and_usual_ones_are_not() -> None:
    assert is_large(7999, 8000)
    assert not is_large(1024, 2048)
    assert not is_large(4000, 4000)


def test_very_large_label_maps_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "IN_MEMORY", 10)
    out = empty_bytes((1, 5, 7))
    out.fill_(3)
    assert (tuple(out.shape), int(out.sum())) == ((1, 5, 7), 105)


def test_a_prediction_labels_a_large_image_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    task = SegmentationTask(network="segnext_t", labels=CAMVID).eval()
    sizes: list[tuple[int, ...]] = []
    task.network.encoder.register_forward_pre_hook(lambda module, given: sizes.append(tuple(given[0].shape[2:])))
    monkeypatch.setattr(large, "LARGEST", 64 * 64)
    seen = InferenceConfig(mode="slide", size=(64, 64), stride=(48, 48), window_weights="linear")
    monkeypatch.setattr(large, "SEEN", seen)
    image = torch.randint(0, 256, (1, 3, 96, 160), dtype=torch.uint8)
    with torch.inference_mode():
        found = task.predict_step({"image": image, "mask": image[:, 0], "path": ["a"]}, 0)
    assert (found.shape, found.dtype) == ((1, 96, 160), torch.uint8)
    assert set(sizes) == {(64, 64)}
