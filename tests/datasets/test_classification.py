"""What every classification data module does, seen through a small one."""

from __future__ import annotations

import warnings
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from foveate.datasets.batch import Pick
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.labelled_images import ArrayDataset, collate

SIZES = {"train": 22, "val": 5, "test": 3}


class Greys(ClassificationDataModule):
    """Images of one grey each, which is their number; the label says whether it is below 16."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"image_size": 4, "batch_size": 4, "crop": "none", "crop_ratio": None, "num_workers": 0, **options}
        )

    @property
    def label_set(self) -> ClassSet:
        return ClassSet(name="greys", names=("dark", "light"))

    def find_images(self, split: str) -> ArrayDataset:
        greys = np.arange(SIZES[split], dtype=np.uint8)
        images = np.broadcast_to(greys[:, None, None, None], (len(greys), 4, 4, 3)).copy()
        return ArrayDataset(images, (greys >= 16).astype(np.int64), f"greys/{split}")


def fitted(**options: Any) -> Greys:
    data = Greys(seed=5, **options)
    data.setup("fit")
    return data


def greys(batches: list[Any]) -> list[int]:
    return [int(image[0, 0, 0]) for batch in batches for image in batch["image"]]


def test_batches_are_bytes_class_numbers_and_paths() -> None:
    for loader in (fitted().train_dataloader(), fitted().val_dataloader()):
        batch = next(iter(loader))
        assert (batch["image"].shape, batch["image"].dtype) == ((4, 3, 4, 4), torch.uint8)
        assert (batch["label"].shape, batch["label"].dtype) == ((4,), torch.int64)
        numbers = [int(path.rpartition("/")[2]) for path in batch["path"]]
        assert greys([batch]) == numbers
        assert batch["label"].tolist() == [int(number >= 16) for number in numbers]


def test_evaluation_is_in_order_and_leaves_none_out() -> None:
    assert greys(list(fitted().val_dataloader())) == [0, 1, 2, 3, 4]


def test_an_epoch_has_each_training_image_once() -> None:
    batches = list(fitted().train_dataloader())
    assert sorted(greys(batches)) == list(range(22))
    assert [len(batch["path"]) for batch in batches] == [4, 4, 4, 4, 3, 3]


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
def test_the_number_of_workers_changes_no_sample() -> None:
    options: dict[str, Any] = {"crop": "random_resized", "randaugment": 2, "image_size": 6}
    alone, helped = (list(fitted(num_workers=n, **options).train_dataloader()) for n in (0, 2))
    for a, b in zip(alone, helped, strict=True):
        assert a["path"] == b["path"]
        assert torch.equal(a["image"], b["image"])


def test_a_blank_pick_keeps_the_image_and_has_no_class() -> None:
    dataset = fitted()._datasets["val"]
    plain, blank = dataset[Pick(1)], dataset[Pick(1, blank=True)]
    assert torch.equal(plain["image"], blank["image"])  # type: ignore[arg-type]
    assert (plain["label"], blank["label"]) == (0, -1)


def test_balanced_sampling_shows_both_classes_as_often() -> None:
    data = fitted(sampling="balanced", batch_size=1)
    loader = data.train_dataloader()
    labels: Counter[int] = Counter()
    for epoch in range(30):
        loader.sampler.set_epoch(epoch)
        labels.update(int(batch["label"]) for batch in loader)
    assert labels.total() == 30 * 22
    assert 0.4 < labels[1] / labels.total() < 0.6  # 6 of 22 by nature


def test_more_processes_than_images_are_refused() -> None:
    data = fitted()
    data.place = lambda: (23, 0)  # type: ignore[method-assign]
    with pytest.raises(DataConfigError, match="22 training images cannot be shared by 23 processes"):
        data.train_dataloader()


@pytest.mark.parametrize("option", ["batch_size", "eval_batch_size", "image_size"])
def test_less_than_one_is_refused(option: str) -> None:
    with pytest.raises(DataConfigError, match=f"{option} is at least 1, not 0"):
        Greys(**{option: 0})


def test_several_sizes_in_one_batch_are_refused() -> None:
    samples = [{"image": torch.zeros(3, 4, width), "label": 0, "path": f"{width}.png"} for width in (5, 6)]
    with pytest.raises(DataError, match=r"5.png is \(4, 5\), 6.png is \(4, 6\)"):
        collate(samples)


@pytest.mark.parametrize(("count", "paths"), [(1, ["0"]), (2, ["0", "2"]), (9, list("01234"))])
def test_samples_are_the_same_few_each_time(count: int, paths: list[str]) -> None:
    samples = fitted().samples("val", count)
    assert [str(samples[i]["path"]).rpartition("/")[2] for i in range(len(samples))] == paths


class Recorder(L.LightningModule):
    """Keeps the number of each image that it has learnt from, in its checkpoint too."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list[list[int]] = []
        self.fail_at = fail_at

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.fail_at:
            raise RuntimeError("made up")
        self.seen.append(greys([batch]))
        return self.layer(batch["image"][:, :1, :1, :1].float() / 255).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = [list(batch) for batch in self.seen]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seen = checkpoint["seen"]


def fit(folder: Path, model: Recorder, ckpt: Path | None = None, workers: int = 0, every: int = 1) -> list[list[int]]:
    saving = ModelCheckpoint(
        folder, filename="{step}", every_n_train_steps=every, save_top_k=-1, save_on_exception=True
    )
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, callbacks=[saving], enable_progress_bar=False,
        enable_model_summary=False, val_check_interval=4,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)  # Lightning's, of torch
        warnings.filterwarnings("ignore", "The dirpath has changed", UserWarning)
        trainer.fit(model, Greys(seed=5, num_workers=workers), ckpt_path=ckpt)
    return model.seen


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_fit_resumed_after_any_step_sees_the_same_images_in_the_same_batches(tmp_path: Path, workers: int) -> None:
    whole = fit(tmp_path / "whole", Recorder(), workers=workers)
    assert [sorted(chain(*epoch)) for epoch in (whole[:6], whole[6:])] == [list(range(22))] * 2
    assert whole[:6] != whole[6:]
    for step in range(1, 12):
        resumed = fit(tmp_path / f"from_{step}", Recorder(), tmp_path / "whole" / f"step={step}.ckpt", workers=workers)
        assert resumed == whole, f"after step {step}"


@pytest.mark.parametrize("step", [2, 6, 9])
def test_a_step_that_an_error_stopped_is_learnt_from_after_resuming(tmp_path: Path, step: int) -> None:
    whole = fit(tmp_path / "whole", Recorder())
    with pytest.raises(RuntimeError, match="made up"):
        fit(tmp_path / "failed", Recorder(fail_at=step), every=1000)
    (saved,) = (tmp_path / "failed").glob("*.ckpt")
    assert fit(tmp_path / "rest", Recorder(), saved, every=1000) == whole
