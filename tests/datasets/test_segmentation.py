"""What every segmentation data module does, seen through Cityscapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.labelled_pairs import collate
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.pipeline.normalisation import Normalise


@pytest.fixture
def options(cityscapes_root: Path) -> dict[str, object]:
    return {"root": str(cityscapes_root), "crop": (32, 48), "batch_size": 2, "num_workers": 0, "seed": 5}


def fitted(options: dict[str, object], **changes: object) -> CityscapesDataModule:
    data = CityscapesDataModule(**{**options, **changes})  # type: ignore[arg-type]
    data.setup("fit")
    return data


def test_an_epoch_can_take_several_crops_of_each_image(options: dict[str, object]) -> None:
    batches = list(fitted(options, crops_per_image=3, photometric=False).train_dataloader())
    paths = [path for batch in batches for path in batch["path"]]
    assert len(paths) == 18
    assert {paths.count(path) for path in paths} == {3}
    crops = [
        image
        for batch in batches
        for image, path in zip(batch["image"], batch["path"], strict=True)
        if path == paths[0]
    ]
    assert not torch.equal(crops[0], crops[1])
    with pytest.raises(DataConfigError, match="crops_per_image is at least 1"):
        fitted(options, crops_per_image=0)


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


class Means(L.LightningModule):
    """A task that trains nothing; its normalisation may change when training begins, as with weights to start from."""

    def __init__(self, mean: tuple[float, ...] | None, later: tuple[float, ...] | None = None) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.later = later
        self.seen: set[tuple[int, ...]] = set()
        if mean:
            self.normalise = Normalise(mean)

    def on_fit_start(self) -> None:
        if self.later:
            self.normalise.renew(self.later, self.later)

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> torch.Tensor:
        padding = batch["image"][0, :, -1, -1]  # the crop is larger than any resized image
        self.seen.add(tuple(padding.tolist()))
        return self.scale * 0

    def validation_step(self) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.trainer.estimated_stepping_batches  # noqa: B018  as our tasks do: it makes the loader before on_fit_start
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("task", "change", "expected"),
    [
        (Means(None), {}, (124, 116, 104)),
        (Means((127.5, 127.4, 300.0)), {}, (128, 127, 255)),
        (Means((1.0, 2.0, 3.0), later=(78.03, 94.095, 40.0)), {}, (78, 94, 40)),
        (Means((1.0, 2.0, 3.0)), {"pad_value": (0, 0, 0)}, (0, 0, 0)),
    ],
    ids=["a task without", "its own", "that of weights", "as asked"],
)
@pytest.mark.filterwarnings("ignore:.*num_workers:UserWarning", "ignore:.*LeafSpec:FutureWarning")
def test_crops_are_padded_with_the_mean_of_the_normalisation_in_use(
    options: dict[str, object], workers: int, task: Means, change: dict[str, object], expected: tuple[int, ...]
) -> None:
    data = CityscapesDataModule(**{**options, "crop": "300x300", "num_workers": workers, **change})  # type: ignore[arg-type]
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_steps=2, limit_val_batches=0, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(task, data)
    assert task.seen == {expected}


def test_a_padding_that_is_no_colour_is_refused() -> None:
    with pytest.raises(DataConfigError, match=r"pad_value is a byte for each channel, 0 to 255, not \[0, 0, 256\]"):
        SegmentationDataModule(pad_value=(0, 0, 256))


@pytest.mark.parametrize(("crop", "size"), [("32x48", (32, 48)), ((32, 48), (32, 48)), ("[32, 48]", (32, 48))])
def test_a_size_is_written_either_way(crop: Any, size: tuple[int, int]) -> None:
    assert SegmentationDataModule(crop=crop).transform.crop == size


@pytest.mark.parametrize("crop", ["32", "32x", "0x5", (0, 5)])
def test_what_is_no_size_is_told(crop: Any) -> None:
    with pytest.raises(DataConfigError, match=r"crop.* such as .*256x512, not"):
        SegmentationDataModule(crop=crop)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match=r"CityscapesDataModule\(\) got an unexpected keyword argument 'crp'"):
        CityscapesDataModule(crp=(3, 3))  # type: ignore[call-arg]


def test_further_ids_are_ignored_where_asked(options: dict[str, object]) -> None:
    plain, less = (fitted(options, ignore=ids).val_dataloader().dataset[0]["mask"] for ids in (None, 7))  # type: ignore[index]
    road = plain == 0
    assert road.any()
    assert torch.equal(less, torch.where(road, 255, plain).to(torch.uint8))


@pytest.mark.parametrize(("ids", "values"), [([60000, 255], (60000, 255)), (300, (300,))])
def test_ignored_ids_may_be_of_16_bits(options: dict[str, object], ids: Any, values: tuple[int, ...]) -> None:
    data = fitted(options)
    pair = data.find_pairs("val")[0]
    stored = np.full((64, 128), 7, dtype=np.uint16)
    for row, value in enumerate(values):
        stored[row] = value
    Image.fromarray(stored).save(pair.label)
    with pytest.raises(DataError, match="label id out of range"):
        _ = data.val_dataloader().dataset[0]
    mask = fitted(options, ignore=ids).val_dataloader().dataset[0]["mask"]
    assert mask[: len(values)].unique().tolist() == [255]  # type: ignore[index]
    assert mask[len(values) :].unique().tolist() == [0]  # type: ignore[index]


@pytest.mark.parametrize("ids", [-1, [3, 65536]])
def test_an_id_that_no_label_file_holds_is_refused(ids: Any) -> None:
    with pytest.raises(DataConfigError, match="ignore holds ids of label files, 0 to 65535, not"):
        CityscapesDataModule(ignore=ids)
