"""Images without labels: crops of a folder, whatever lies in it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.batch import Pick
from foveate.datasets.errors import DataError
from foveate.datasets.unlabelled import LEAST_STEPS, UnlabelledDataModule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(5):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        pixels = random.integers(256, size=(40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number % 2}/{number}.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    return tmp_path


def module(folder: Path, seed: int = 0) -> UnlabelledDataModule:
    return UnlabelledDataModule(str(folder), size=32, batch_size=4, num_workers=0, seed=seed)


def test_batches_are_crops_of_all_images_below_a_folder(folder: Path) -> None:
    loader = module(folder).train_dataloader()
    assert len(loader) >= LEAST_STEPS
    batches = list(islice(loader, 10))
    assert all(batch["image"].shape == (4, 3, 32, 32) and batch["image"].dtype == torch.uint8 for batch in batches)
    assert {Path(path).name for batch in batches for path in batch["path"]} == {
        *(f"{n}.png" for n in range(5)),
        "grey.png",
    }


def test_the_seed_decides_order_and_crops(folder: Path) -> None:
    first, same, other = (next(iter(module(folder, seed).train_dataloader()))["image"] for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_damaged_image_is_replaced_and_named(folder: Path) -> None:
    (folder / "0/0.png").write_bytes(b"\x89PNG no image")
    data = module(folder)
    sample = data.dataset[Pick(data.paths.index(folder / "0/0.png"), seed=3)]
    assert "0.png" in str(sample["faults"])
    assert not str(sample["path"]).endswith("0/0.png")


def test_a_folder_of_damaged_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG no image")
    with pytest.raises(DataError, match="damaged images in a row"):
        module(tmp_path).dataset[0]
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="no images"):
        module(tmp_path)


def test_the_digest_is_of_names_and_sizes_wherever_they_lie(folder: Path) -> None:
    before = module(folder).digest()
    moved = folder.rename(folder.with_name("moved"))
    assert module(moved).digest() == before
    (moved / "grey.png").rename(moved / "gray.png")
    assert module(moved).digest() != before


def test_the_first_crops_are_of_images_spread_over_all(folder: Path) -> None:
    assert module(folder).first(3).shape == (3, 3, 32, 32)
    assert torch.equal(module(folder).first(3), module(folder).first(3))
    assert len(module(folder).first(100)) == 6
