"""Class counts: against NumPy, counted once for all processes, again when a file changes."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.counting import values
from foveate.datasets.counting.classes import ClassCounts, count_classes
from foveate.datasets.counting.presence import pack_presence
from foveate.datasets.counting.stored import cached_counts
from foveate.datasets.counting.values import count_values
from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.labels import CITYSCAPES

COUNT_IN_A_PROCESS = """
import sys
from foveate.datasets.cityscapes import CityscapesDataModule
data = CityscapesDataModule(sys.argv[1])
data.setup("fit")
dataset, asked = data.dataset("train"), []
read = dataset.read_mask
dataset.read_mask = lambda index: asked.append(index) or read(index)
print(data.class_statistics().pixels.sum(), len(asked))
"""


def data(root: Path, **options: object) -> CityscapesDataModule:
    module = CityscapesDataModule(str(root), **options)  # type: ignore[arg-type]
    module.setup("fit")
    return module


def files(root: Path) -> list[Path]:
    return sorted((root / ".foveate").glob("classes-train-*.npz"))


def test_bytes_are_counted_exactly_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70), dtype=np.uint8)
    expected = np.bincount(pixels.ravel(), minlength=256)
    monkeypatch.setattr(values, "EXACT", 150)  # two rows at a time
    assert np.array_equal(count_values(pixels), expected)
    assert np.array_equal(count_values(pixels[:, ::2]), np.bincount(pixels[:, ::2].ravel(), minlength=256))


@pytest.mark.parametrize("num_classes", [1, 8, 9, 19])
def test_presence_is_what_was_packed(num_classes: int) -> None:
    held = np.random.default_rng(num_classes).random((13, num_classes)) < 0.4
    presence = pack_presence(held)
    assert all(np.array_equal(presence.images_with(c), np.flatnonzero(held[:, c])) for c in range(num_classes))
    assert all(np.array_equal(presence.classes_of(i), np.flatnonzero(held[i])) for i in range(13))


@pytest.mark.parametrize("cache", ["none", "packed"])
def test_the_counts_are_numpys(cityscapes_root: Path, cache: str) -> None:
    paths = sorted(cityscapes_root.glob("gtFine/train/*/*_labelIds.png"))
    masks = [CITYSCAPES.to_train_ids()[np.asarray(Image.open(path))] for path in paths]
    each = np.array([np.bincount(mask.ravel(), minlength=256)[:19] for mask in masks])
    counts = data(cityscapes_root, cache=cache).class_counts
    found = counts.statistics
    assert found.num_images == len(counts.presence) == 6
    assert np.array_equal(found.pixels, each.sum(0))
    assert np.array_equal(found.images, (each > 0).sum(0))
    assert np.array_equal(found.image_pixels, [each.sum(1)[each[:, c] > 0].sum() for c in range(19)])
    assert all(np.array_equal(counts.presence.images_with(c), np.flatnonzero(each[:, c])) for c in range(19))


def test_classes_are_counted_once_and_again_when_a_label_map_changes(
    cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data(cityscapes_root).class_statistics()
    with monkeypatch.context() as patch:
        patch.setattr("foveate.datasets.segmentation.count_classes", None)
        again = data(cityscapes_root).class_statistics()
    assert np.array_equal(first.image_pixels, again.image_pixels)
    label = next(iter(cityscapes_root.glob("gtFine/train/*/*_labelIds.png")))
    Image.fromarray(np.full((64, 128), 7, dtype=np.uint8)).save(label)
    os.utime(label, ns=(1, 1))
    assert data(cityscapes_root).class_statistics().pixels[0] > first.pixels[0]
    assert data(cityscapes_root, ignore=[7]).class_statistics().pixels[0] == 0
    assert len(files(cityscapes_root)) == 3


@pytest.mark.slow
def test_one_of_several_processes_counts(cityscapes_root: Path) -> None:
    words = [sys.executable, "-c", COUNT_IN_A_PROCESS, str(cityscapes_root)]
    runs = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate(timeout=120)[0].split() for run in runs]
    assert sorted(asked for _, asked in told) == ["0", "6"]
    assert len({pixels for pixels, _ in told}) == 1


def test_those_that_wait_take_what_was_counted(tmp_path: Path) -> None:
    asked = []

    def count() -> ClassCounts:
        asked.append(1)
        return count_classes(lambda _: np.zeros((4, 4), dtype=np.uint8), 3, 2, lambda *_: None)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cached_counts(tmp_path / "new" / "c.npz", count), range(4)))
    assert len(asked) == 1
    assert all(one.statistics.pixels.tolist() == [48, 0] for one in found)


def test_a_damaged_file_is_counted_again_and_a_read_only_folder_is_told(
    cityscapes_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = data(cityscapes_root).class_statistics().pixels.tolist()
    files(cityscapes_root)[0].write_bytes(b"half")
    assert data(cityscapes_root).class_statistics().pixels.tolist() == expected
    (blocked := cityscapes_root / "blocked").write_text("a file where the folder should be")
    with caplog.at_level("INFO"):
        assert data(cityscapes_root, cache_dir=str(blocked)).class_statistics().pixels.tolist() == expected
    assert "cannot be kept, and are counted again next time" in caplog.text


def test_a_label_map_that_cannot_be_read_is_named(cityscapes_root: Path) -> None:
    label = next(iter(cityscapes_root.glob("gtFine/train/*/*_labelIds.png")))
    label.write_bytes(b"no image")
    with pytest.raises(DataError, match=label.name):
        data(cityscapes_root).class_statistics()


def test_of_a_classification_images_are_counted() -> None:
    found = DigitsDataModule().class_statistics()
    assert found.num_images == found.pixels.sum() == 1293
    assert found.pixels.tolist() == found.images.tolist() == found.image_pixels.tolist()
    assert 120 < found.pixels.min() <= found.pixels.max() < 140
