"""The page of what a network is fed: the samples of a training, what was drawn, and a limit on bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foveate.datasets.augment.classification import ClassifierTrainTransform
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.pages.page import LIMIT
from foveate.datasets.view.page import as_rgb, framed, render_samples
from foveate.datasets.view.samples import Shown, show_samples

BALANCED: dict[str, Any] = {
    "sampling": "rare_classes",
    "copy_paste": {"classes": ["person", "pole"], "probability": 0.5},
    "augmentations": [{"name": "GaussianBlur", "p": 0.5}],
}


def data(root: Path, **options: Any) -> CityscapesDataModule:
    options = {"crop": (32, 48), "batch_size": 2, "num_workers": 0, "seed": 5, **options}
    return CityscapesDataModule(str(root), **options)


SMALL = {"pad_value": (1, 2, 3), "scale": (0.2, 0.4)}


@pytest.mark.parametrize(
    "options", [{}, BALANCED, {"crops_per_image": 2}, SMALL], ids=["plain", "balanced", "twice", "padded"]
)
def test_the_samples_are_those_of_the_first_epoch(cityscapes_root: Path, options: dict[str, Any]) -> None:
    shown = list(show_samples(data(cityscapes_root, **options), "train", 5))
    trained = data(cityscapes_root, **options)
    trained.setup("fit")
    loader = trained.train_dataloader()
    batches = list(loader)
    images = torch.cat([batch["image"] for batch in batches]).permute(0, 2, 3, 1).numpy()
    masks = torch.cat([batch["mask"] for batch in batches]).numpy()
    assert len(shown) == 5
    for number, one in enumerate(shown):
        assert np.array_equal(one.image, images[number])
        assert one.mask is not None
        assert np.array_equal(one.mask, masks[number])


def test_every_part_of_a_draw_is_told(cityscapes_root: Path) -> None:
    lines = "\n".join(line for one in show_samples(data(cityscapes_root, **BALANCED), "train", 6) for line in one.lines)
    for pattern in (
        r"scale [\d.]+: 64 x 128 becomes \d+ x \d+, of which rows \d+ to \d+ and columns \d+ to \d+",
        r"(?m)^flipped$",
        r"(?m)^not flipped$",
        r"brightness [+-]\d",
        r"chosen to show: \w+",
        r"pasted: (person|pole) of \w+_leftImg8bit.png, scale",
        r"GaussianBlur: .*kernel array of",
    ):
        assert re.search(pattern, lines), pattern


def test_val_is_shown_as_it_is_evaluated(cityscapes_root: Path) -> None:
    shown = list(show_samples(data(cityscapes_root), "val", 2))
    assert [one.path[-22:-16] for one in shown] == ["000019", "000019"]
    assert all(np.array_equal(one.image, one.original) and one.box is None for one in shown)
    with pytest.raises(DataConfigError, match="split is train, val, test, not 'training'"):
        next(show_samples(data(cityscapes_root), "training", 2))


def test_a_classification_is_shown_with_its_classes() -> None:
    module = DigitsDataModule(batch_size=4, seed=3, crop="random_resized")
    shown = list(show_samples(module, "train", 6))
    batches = iter(module.train_dataloader())
    images = torch.cat([next(batches)["image"] for _ in range(2)]).permute(0, 2, 3, 1).numpy()
    assert all(np.array_equal(one.image, images[number]) for number, one in enumerate(shown))
    assert all(one.lines[0].startswith("class: ") and one.box is not None for one in shown)
    assert all("RandomResizedCrop: top" in one.lines[1] for one in shown)


def test_explaining_a_classification_changes_nothing() -> None:
    image = torch.randint(0, 256, (3, 40, 50), dtype=torch.uint8)
    names = set()
    transform = ClassifierTrainTransform(16, rotation=10.0, randaugment=2)
    for seed in range(20):
        explained, applied = transform.explain(image, seed=seed)
        assert torch.equal(explained, transform(image, seed=seed))
        names.add(tuple(name for name, _ in applied))
    rest = ("RandomAffine", "RandAugment")
    assert names == {("RandomResizedCrop", *rest), ("RandomResizedCrop", "RandomHorizontalFlip", *rest)}


@pytest.mark.parametrize("count", [3, 300])
def test_a_page_is_whole_offline_and_below_its_limit(count: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    mask = np.random.default_rng(0).integers(0, 19, (240, 320), dtype=np.uint8)
    shown = Shown(path="<a>.png", lines=["one & two"], original=noise, box=(0, 0, 0.5, 0.5), image=noise, mask=mask)
    page = render_samples("set", ["fact"], [shown] * count, CITYSCAPES, count)
    assert len(page.encode()) < LIMIT
    assert page.count("<h3>&lt;a&gt;.png</h3>") == count
    assert "one &amp; two" in page
    assert not re.search(r"https?://|<script|src=\"(?!data:)", page)
    assert all(name in page for name in CITYSCAPES.names)
    assert ("pictures were left out" in page) == (page.count("<img") < 3 * count)


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_images_of_any_channels_are_shown(channels: int) -> None:
    image = np.arange(5 * 6 * channels, dtype=np.uint8).reshape(5, 6, channels)
    assert as_rgb(image).shape == (5, 6, 3)
    assert np.array_equal(as_rgb(image)[..., 0], image[..., 0])


def test_the_frame_lies_round_the_part() -> None:
    marked = framed(np.full((100, 200, 3), 50, dtype=np.uint8), (0.2, 0.3, 0.7, 0.9))
    yellow = (marked == (255, 230, 0)).all(2)
    rows, columns = np.nonzero(yellow)
    assert abs(rows.min() - 20) <= 1
    assert abs(rows.max() - 69) <= 1
    assert abs(columns.min() - 60) <= 1
    assert abs(columns.max() - 179) <= 1
