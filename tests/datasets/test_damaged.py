"""Damaged images are errors, or are skipped in training if asked: in any process alike, and never in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.errors import DataError
from foveate.tests.datasets.banded import write_set


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_set(tmp_path, 3, ending="npy", train=8)
    for number in (2, 5):
        path = tmp_path / f"train/{number}.npy"
        path.write_bytes(path.read_bytes()[:2000])
    return tmp_path


def fitted(root: Path, **options: Any) -> CamVidDataModule:
    settings: dict[str, Any] = {"crop": (32, 32), "batch_size": 2, "num_workers": 0, "seed": 0, **options}
    data = CamVidDataModule(str(root), **settings)
    data.setup("fit")
    return data


def test_a_damaged_image_ends_a_training_by_default(root: Path) -> None:
    with pytest.raises(DataError, match=r"2\.npy|5\.npy"):
        list(fitted(root).train_dataloader())


@pytest.mark.parametrize("cache", ["none", "packed"])
def test_others_take_their_place_and_they_are_listed_at_the_end(
    root: Path, cache: str, said: pytest.LogCaptureFixture
) -> None:
    batches = list(fitted(root, on_damaged="skip", cache=cache).train_dataloader())
    paths = [path for batch in batches for path in batch["path"]]
    assert len(paths) == 8
    assert not any(path.endswith(("2.npy", "5.npy")) for path in paths)
    assert "skipped 2 damaged files, 2 times; other samples took their place: " in said.text
    assert all(f"{number}.npy: cannot be read as an array" in said.text for number in (2, 5))


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
def test_the_number_of_workers_changes_no_sample(root: Path) -> None:
    alone, helped = (
        list(fitted(root, on_damaged="skip", num_workers=workers).train_dataloader()) for workers in (0, 2)
    )
    for one, two in zip(alone, helped, strict=True):
        assert one["path"] == two["path"]
        assert np.array_equal(one["image"], two["image"])
        assert one["faults"] == two["faults"]


def test_an_epoch_that_ends_early_is_told_of_at_the_end_of_the_training(
    root: Path, said: pytest.LogCaptureFixture
) -> None:
    data = fitted(root, on_damaged="skip")
    batches = iter(data.train_dataloader())
    while not data.damage._faults:
        next(batches)
    assert "skipped" not in said.text
    data.teardown("fit")
    assert "skipped 1 damaged files" in said.text


def test_nothing_but_damaged_images_is_an_error(root: Path) -> None:
    data = fitted(root, on_damaged="skip")
    for path in (root / "train").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"21 samples in a row are damaged, such as: .*npy"):
        list(data.train_dataloader())


def test_what_is_not_damaged_but_wrong_is_no_reason_to_skip(root: Path) -> None:
    data = fitted(root, on_damaged="skip")
    for number in range(8):
        np.save(root / f"train/{number}.npy", np.zeros((48, 60, 3), np.uint16))
    with pytest.raises(DataError, match=r"48 x 60, but .* is 48 x 64"):
        list(data.train_dataloader())


def test_evaluation_never_skips(root: Path) -> None:
    (root / "val/0.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"val.0\.npy"):
        list(fitted(root, on_damaged="skip").val_dataloader())
