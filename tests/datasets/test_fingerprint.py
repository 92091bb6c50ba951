"""A data set is recognised by the names and sizes of its files, wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.fingerprint import Fingerprint, take_fingerprint
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.patches import CityscapesPatchesDataModule


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            for kind in ("images", "masks"):
                path = folder / kind / split / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 2, (8, 8), dtype=np.uint8)).save(path)
    (folder / "classes.yaml").write_text("classes: [a, b]\n")
    return folder


def of(root: Path) -> Fingerprint:
    data = FolderDataModule(str(root))
    data.setup("fit")
    return take_fingerprint(data)


def test_a_copy_has_the_same_and_a_change_another(root: Path, tmp_path: Path) -> None:
    first = of(root)
    assert (first.splits["train"].files, first.splits["val"].samples) == (6, 2)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(root, copy)
    assert of(copy).sha256 == first.sha256
    image = next((copy / "images" / "train").iterdir())
    image.write_bytes(image.read_bytes() + b"\0")
    changed = of(copy)
    assert changed.sha256 != first.sha256
    assert changed.splits["val"] == first.splits["val"]


def test_of_many_files_only_some_are_asked_for_their_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.datasets.fingerprint.SIZED", 2)
    found = of(root).splits["train"]
    assert (found.files, found.sized) == (6, 4)


def test_data_without_files_is_known_by_its_number() -> None:
    data = DigitsDataModule()
    data.setup("fit")
    found = take_fingerprint(data)
    assert found.splits["train"].files == 0
    assert found.splits["train"].samples > 1000


def test_any_data_module_will_do() -> None:
    assert take_fingerprint(object()).splits == {}


def test_images_of_which_several_samples_are_taken_count_once(cityscapes_root: Path) -> None:
    data = CityscapesPatchesDataModule(str(cityscapes_root), per_image=4, patch=16, image_size=16)
    data.setup("fit")
    found = take_fingerprint(data).splits["train"]
    assert (found.samples, found.files) == (24, 12)
