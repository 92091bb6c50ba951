"""CIFAR-10's original archive, and folders of images."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveate.datasets.cifar10 import ARCHIVE, BATCHES, FOLDER, Cifar10DataModule
from foveate.datasets.errors import DataError
from foveate.datasets.labelled_images import ArrayDataset

PER_BATCH = 4


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8)


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A root with the archive's folder, four images a batch."""
    folder = tmp_path / "cifar" / FOLDER
    folder.mkdir(parents=True)
    for number, name in enumerate([*BATCHES["train"], *BATCHES["val"]]):
        batch = {b"batch_label": name.encode(), b"labels": [number, 9, 0, 1], b"data": pixels(number)}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return tmp_path / "cifar"


@pytest.fixture
def archived(unpacked: Path) -> Path:
    """The same as the archive that one downloads."""
    with tarfile.open(unpacked / ARCHIVE, "w:gz") as tar:
        tar.add(unpacked / FOLDER, FOLDER)
    shutil.rmtree(unpacked / FOLDER)
    return unpacked


def images(root: Path, split: str) -> ArrayDataset:
    dataset = Cifar10DataModule(str(root)).find_images(split)
    assert isinstance(dataset, ArrayDataset)
    return dataset


def test_batches_are_read_in_order(unpacked: Path) -> None:
    train, val = images(unpacked, "train"), images(unpacked, "val")
    assert train.labels.tolist() == [n for number in range(5) for n in (number, 9, 0, 1)]
    assert val.labels.tolist() == [5, 9, 0, 1]
    assert np.array_equal(train.read(5).transpose(2, 0, 1).ravel(), pixels(1)[1])


def test_the_archive_is_read_without_unpacking(unpacked: Path, archived: Path) -> None:
    assert np.array_equal(images(archived, "val").images.transpose(0, 3, 1, 2).reshape(4, -1), pixels(5))
    assert [path.name for path in archived.iterdir()] == [ARCHIVE]
    assert len(images(archived / ARCHIVE, "train")) == 20


class Harm:
    def __init__(self, target: Any, *given: str) -> None:
        self.target, self.given = target, given

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return self.target, self.given


@pytest.mark.parametrize("target", [os.system, eval, __import__])
def test_a_batch_that_would_run_something_is_refused(unpacked: Path, tmp_path: Path, target: Any) -> None:
    given = f"touch {tmp_path}/harm" if target is os.system else "antigravity"
    (unpacked / FOLDER / "test_batch").write_bytes(pickle.dumps({b"data": Harm(target, given)}))
    with pytest.raises(DataError, match=r"test_batch is no batch of CIFAR-10: it asks for \S+\.\w+, .* refused"):
        images(unpacked, "val")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"<html>", pickle.dumps([1]), pickle.dumps({b"data": "x", b"labels": []})])
def test_a_damaged_batch_is_named(unpacked: Path, content: bytes) -> None:
    (unpacked / FOLDER / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError, match="data_batch_3 is no batch of CIFAR-10"):
        images(unpacked, "train")


def test_a_missing_batch_is_named(unpacked: Path) -> None:
    (unpacked / FOLDER / "data_batch_3").unlink()
    with pytest.raises(DataError, match="has no data_batch_3"):
        images(unpacked, "train")


def test_a_truncated_archive_is_named(archived: Path) -> None:
    content = (archived / ARCHIVE).read_bytes()
    (archived / ARCHIVE).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"{ARCHIVE}: cannot be read as an archive"):
        images(archived, "train")


def test_members_that_climb_out_of_the_archive_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with tarfile.open(tmp_path / "root" / ARCHIVE, "w:gz") as tar:
        member = tarfile.TarInfo("../../test_batch")
        data = pickle.dumps({b"labels": [3], b"data": np.zeros((1, 3072), dtype=np.uint8)})
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    assert images(tmp_path / "root", "val").labels.tolist() == [3]
    assert sorted(path.name for path in tmp_path.rglob("*")) == [ARCHIVE, "root"]


def test_neither_layout_says_both(tmp_path: Path) -> None:
    (tmp_path / "cifar.zip").touch()
    with pytest.raises(DataError, match=rf"holds cifar.zip; expected {ARCHIVE}, {FOLDER}/, or folders train/CLASS/"):
        images(tmp_path, "train")


def test_real_folders_of_images_are_read(shared: Path) -> None:
    if not (shared / "data/cifar10").is_dir():
        pytest.skip("no CIFAR-10 among the shared data")
    data = Cifar10DataModule(str(shared / "data/cifar10"), batch_size=10, num_workers=0)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (10, 3, 32, 32)
    for path, label in zip(batch["path"], batch["label"].tolist(), strict=True):
        assert Path(path).parent.name == data.label_set.names[label]
