"""Objects of other images in training crops: labels follow exactly, nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foveate.datasets.augment.pasting import CutOut, Objects, paste_object, resize_object
from foveate.datasets.batch import Pick
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.copy_paste import CopyPaste, class_probabilities, parse_copy_paste
from foveate.datasets.counting.classes import count_classes
from foveate.datasets.errors import DataConfigError

RNG = np.random.default_rng(0)
MASKS = RNG.integers(0, 4, (5, 12, 16), dtype=np.uint8).repeat(3, 1).repeat(3, 2)
MASKS[MASKS == 3] = 255
IMAGES = RNG.integers(0, 256, (*MASKS.shape, 3), dtype=np.uint8) // 8 * 8 + MASKS[..., None] % 8


def read(index: int) -> tuple[np.ndarray, np.ndarray]:
    return IMAGES[index], MASKS[index]


def copy_paste(scale: tuple[float, float] = (1.0, 1.0), **options: Any) -> CopyPaste:
    parsed = parse_copy_paste({"classes": "rare", "probability": 1, **options})
    counts = count_classes(lambda index: MASKS[index], 5, 3, lambda *_: None)
    return CopyPaste(parsed, class_probabilities(parsed, ("a", "b", "c"), counts), counts.presence, lambda size: scale)


def test_each_pasted_pixel_has_its_sources_label_and_all_others_stay() -> None:
    """Images say in their low bits which class they show."""
    for seed in range(200):
        image, mask, pasted = copy_paste().paste(IMAGES[0], MASKS[0], read=read, index=0, seed=seed)
        changed = (image != IMAGES[0]).any(2) | (mask != MASKS[0])
        assert np.array_equal(image[..., 0] % 8, mask % 8)
        assert not changed[MASKS[0] == 255].any()
        boxes = np.zeros_like(changed)
        for one in pasted:
            top, left = max(0, one.window.top), max(0, one.window.left)
            boxes[top : one.window.top + one.window.height, left : one.window.left + one.window.width] = True
            assert one.source != 0
        assert not changed[~boxes].any()
        assert set(np.unique(mask[changed])) <= {one.label for one in pasted}


def test_an_object_is_pasted_pixel_by_pixel() -> None:
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[1:4, 2:5] = 1
    mask[2, 3] = 0  # a hole
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    cut = Objects(mask, 1).cut(image, 0)
    canvas, ids = np.zeros((5, 5, 3), dtype=np.uint8), np.full((5, 5), 4, dtype=np.uint8)
    ids[0, 1] = 255
    assert paste_object(canvas, ids, cut, -1, 1) == 4
    assert ids.tolist() == [[4, 255, 4, 1, 4], [4, 1, 1, 1, 4], *[[4] * 5] * 3]
    assert np.array_equal(canvas[1, 1:4], image[3, 2:5])
    assert np.array_equal(canvas.any(2), (ids == 1))


def test_objects_are_connected_areas_without_specks() -> None:
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[2:8, 2:8], mask[8:14, 8:14], mask[18, 28] = 1, 1, 1  # two that touch at a corner, and a pixel
    objects = Objects(mask, 1)
    assert len(objects) == 1
    assert objects.cut(np.zeros((20, 30, 3), np.uint8), 0).shape.sum() == 72
    mask[:14, :14] = 0
    assert len(Objects(mask, 1)) == 1
    assert len(Objects(mask, 2)) == 0


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_image_and_shape_are_resized_alike(channels: int) -> None:
    shape = np.ones((4, 6), dtype=bool)
    shape[:2] = False
    cut = resize_object(CutOut(np.full((4, 6, channels), 7, np.uint8), shape, 2), 1.5)
    assert cut.pixels.shape == (6, 9, channels)
    assert cut.shape[:3].sum() == 0
    assert cut.shape[3:].all()


def test_the_seed_decides_and_scales_differ() -> None:
    first, again = (copy_paste((0.5, 2.0)).paste(*read(1), read=read, index=1, seed=4) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert first[2] == again[2]
    found = [copy_paste((0.5, 2.0)).paste(*read(1), read=read, index=1, seed=seed)[2] for seed in range(30)]
    assert len({one.scale for some in found for one in some}) > 20
    assert {len(some) for some in found} == {1, 2, 3}


def test_probability_and_classes_are_obeyed() -> None:
    rarely = copy_paste(probability=0.25, classes=["b"], count=1)
    found = [rarely.paste(*read(0), read=read, index=0, seed=seed)[2] for seed in range(400)]
    assert 0.18 < np.mean([bool(some) for some in found]) < 0.32
    assert {one.label for some in found for one in some} == {1}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class": "rare"}, "has no option 'class'"),
        ({}, "classes is rare, or a list of names"),
        ({"classes": "car"}, "classes is rare, or a list of names of classes, not 'car'"),
        ({"classes": "rare", "count": [3, 1]}, r"count is a number from 1, or a least and a largest one, not \[3, 1\]"),
        ({"classes": "rare", "probability": 2}, "probability is 0 to 1, not 2"),
        ({"classes": ["d"]}, "no class named 'd'"),
    ],
    ids=str,
)
def test_mistakes_are_named(given: dict[str, Any], message: str) -> None:
    counts = count_classes(lambda index: MASKS[index], 5, 3, lambda *_: None)
    with pytest.raises(DataConfigError, match=message):
        class_probabilities(parse_copy_paste(given), ("a", "b", "c"), counts)


def test_nothing_is_pasted_from_a_damaged_image() -> None:
    image, _, pasted = copy_paste().paste(*read(0), read=lambda index: None, index=0, seed=0)
    assert not pasted
    assert np.array_equal(image, IMAGES[0])


def test_damaged_files_are_neither_counted_nor_pasted_where_they_are_skipped(cityscapes_root: Path) -> None:
    whole = data(cityscapes_root)
    pairs = whole.pairs_of("train")
    pairs[0].label.write_bytes(b"no image")
    pairs[1].image.write_bytes(b"no image")
    balanced = {"sampling": "rare_classes", "copy_paste": {"classes": "rare", "probability": 1}, "batch_size": 1}
    skipping = data(cityscapes_root, on_damaged="skip", **balanced)
    assert skipping.class_statistics().images.max() == 5
    assert len(list(skipping.train_dataloader())) == 6


def data(root: Path, **options: Any) -> CityscapesDataModule:
    options = {"crop": (32, 48), "batch_size": 2, "num_workers": 0, "seed": 5, **options}
    module = CityscapesDataModule(str(root), **options)
    module.setup("fit")
    return module


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
@pytest.mark.parametrize("change", [{"cache": "packed"}, {"num_workers": 2}], ids=str)
def test_workers_and_packed_images_give_the_same_samples(cityscapes_root: Path, change: dict[str, Any]) -> None:
    balanced = {"sampling": "rare_classes", "copy_paste": {"classes": "rare", "probability": 1}}
    plain, other = (list(data(cityscapes_root, **balanced, **more).train_dataloader()) for more in ({}, change))
    for a, b in zip(plain, other, strict=True):
        assert torch.equal(a["image"], b["image"])
        assert torch.equal(a["mask"], b["mask"])


def test_what_is_explained_is_the_sample_and_without_pasting_all_stays(cityscapes_root: Path) -> None:
    pasting = data(cityscapes_root, copy_paste={"classes": ["person"], "probability": 0.5})
    plain = data(cityscapes_root)
    for seed in range(12):
        sample, before = (module._datasets["train"][Pick(1, seed=seed)] for module in (pasting, plain))
        explained = pasting._datasets["train"].explain(Pick(1, seed=seed))
        (image, mask), draw = explained.sample, explained.draw
        assert draw is not None
        assert np.array_equal(sample["image"].permute(1, 2, 0), image)  # type: ignore[attr-defined]
        assert np.array_equal(sample["mask"], mask)  # type: ignore[arg-type]
        if not draw.pasted:
            assert torch.equal(sample["image"], before["image"])  # type: ignore[arg-type]
