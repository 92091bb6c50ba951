"""What every segmentation data module does, seen through Cityscapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.batch import Pick
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.segmentation import SegmentationDataModule, collate


@pytest.fixture
def options(cityscapes_root: Path) -> dict[str, object]:
    return {"root": str(cityscapes_root), "crop": (32, 48), "batch_size": 2, "num_workers": 0, "seed": 5}


def fitted(options: dict[str, object], **changes: object) -> CityscapesDataModule:
    data = CityscapesDataModule(**{**options, **changes})  # type: ignore[arg-type]
    data.setup("fit")
    return data


def test_training_batches_are_bytes_of_the_crops_size(options: dict[str, object]) -> None:
    batches = list(fitted(options).train_dataloader())
    assert len(batches) == 3
    for batch in batches:
        assert (batch["image"].shape, batch["image"].dtype) == ((2, 3, 32, 48), torch.uint8)
        assert (batch["mask"].shape, batch["mask"].dtype) == ((2, 32, 48), torch.uint8)
        assert len(batch["path"]) == 2


def test_evaluation_gives_whole_images_in_order_untouched(options: dict[str, object]) -> None:
    data = fitted(options)
    batches = list(data.val_dataloader())
    assert [path for batch in batches for path in batch["path"]] == [str(p.image) for p in data.find_pairs("val")]
    stored = np.asarray(Image.open(batches[0]["path"][0]))
    assert np.array_equal(batches[0]["image"][0].permute(1, 2, 0), stored)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
def test_the_number_of_workers_changes_no_sample(options: dict[str, object]) -> None:
    alone, helped = (list(fitted(options, num_workers=n).train_dataloader()) for n in (0, 2))
    assert len(alone) == len(helped) == 3
    for a, b in zip(alone, helped, strict=True):
        assert a["path"] == b["path"]
        assert torch.equal(a["image"], b["image"])
        assert torch.equal(a["mask"], b["mask"])


def test_a_seed_repeats_an_epoch(options: dict[str, object]) -> None:
    def images(seed: int) -> torch.Tensor:
        return torch.cat([batch["image"] for batch in fitted(options, seed=seed).train_dataloader()])

    assert torch.equal(images(5), images(5))
    assert not torch.equal(images(5), images(6))


def test_the_runs_seed_is_taken_where_none_is_given(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    assert fitted(options, seed=None).seed == 17


def test_a_blank_pick_keeps_the_image_and_ignores_its_labels(options: dict[str, object]) -> None:
    dataset = fitted(options).val_dataloader().dataset
    plain, blank = dataset[Pick(1)], dataset[Pick(1, blank=True)]
    assert torch.equal(plain["image"], blank["image"])  # type: ignore[arg-type]
    assert blank["mask"].unique().tolist() == [255]  # type: ignore[attr-defined]


def test_an_image_and_a_label_map_of_other_size_are_named(options: dict[str, object]) -> None:
    data = fitted(options)
    pair = data.find_pairs("val")[0]
    Image.fromarray(np.zeros((64, 100), dtype=np.uint8)).save(pair.label)
    with pytest.raises(DataError, match=r"leftImg8bit.png is 64 x 128, but .*labelIds.png is 64 x 100") as caught:
        next(iter(data.val_dataloader()))
    assert caught.value.exit_code == 3


def test_a_batch_larger_than_the_set_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(DataConfigError, match=r"6 training images .* do not fill one batch of 7; lower") as caught:
        fitted(options, batch_size=7).train_dataloader()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("option", ["batch_size", "eval_batch_size"])
def test_a_batch_of_nothing_is_refused(option: str) -> None:
    with pytest.raises(DataConfigError, match=f"{option} is at least 1, not 0"):
        SegmentationDataModule(**{option: 0})  # type: ignore[arg-type]


def test_several_sizes_in_one_batch_are_refused() -> None:
    samples = [{"image": torch.zeros(3, 4, width), "path": f"{width}.png"} for width in (5, 6)]
    with pytest.raises(DataConfigError, match=r"5.png is \(4, 5\), 6.png is \(4, 6\) .*eval_batch_size 1"):
        collate(samples)


def test_a_batch_without_labels_has_no_mask() -> None:
    assert set(collate([{"image": torch.zeros(3, 4, 5), "path": "a.png"}])) == {"image", "path"}


@pytest.mark.parametrize(("count", "names"), [(1, ["0"]), (2, ["0", "1"]), (9, ["0", "1", "2"])])
def test_samples_are_the_same_few_each_time(options: dict[str, object], count: int, names: list[str]) -> None:
    samples = fitted(options).samples("val", count)
    assert [pair.image.name[15] for pair in samples.pairs] == names
