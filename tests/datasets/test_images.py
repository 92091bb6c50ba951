"""Images without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.images import ImagesDataModule

SIZES = {"a.png": (4, 5), "b.jpg": (6, 3), "sub/c.png": (7, 7)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in SIZES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((*size, 3), 9, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    return tmp_path


def module(images: Path | None) -> ImagesDataModule:
    data = ImagesDataModule(None if images is None else str(images), num_workers=0)
    data.setup("predict")
    return data


def test_each_image_is_a_batch_at_its_own_size(folder: Path) -> None:
    data = module(folder)
    batches = list(data.predict_dataloader())
    assert [Path(batch["path"][0]).relative_to(data.folder).as_posix() for batch in batches] == list(SIZES)
    assert [tuple(batch["image"].shape) for batch in batches] == [(1, 3, *size) for size in SIZES.values()]
    assert {batch["image"].dtype for batch in batches} == {torch.uint8}
    assert not any("mask" in batch for batch in batches)


def test_one_file_will_do(folder: Path) -> None:
    data = module(folder / "b.jpg")
    assert [batch["path"] for batch in data.predict_dataloader()] == [[str(folder / "b.jpg")]]
    assert data.folder == folder


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images \(looked for \.png"):
        module(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        module(tmp_path / "nowhere")


def test_nothing_given_asks_for_something() -> None:
    with pytest.raises(DataConfigError, match=r"give --data.images DIR"):
        module(None)


def test_images_of_one_size_come_in_batches(folder: Path) -> None:
    data = ImagesDataModule(str(folder), image_size=8, batch_size=2, num_workers=0)
    data.setup("predict")
    batches = list(data.predict_dataloader())
    assert [tuple(batch["image"].shape) for batch in batches] == [(2, 3, 8, 8), (1, 3, 8, 8)]
    assert [Path(path).name for batch in batches for path in batch["path"]] == ["a.png", "b.jpg", "c.png"]
