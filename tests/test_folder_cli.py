"""Folders of images and masks of every kind, trained through the command line without any code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from foveate.cli import main
from foveate.datasets.batch import SegmentationBatch
from foveate.pipeline.runs.recipes import read_recipe
from foveate.pipeline.segmentation import SegmentationTask
from foveate.tests.datasets.drawn_masks import KINDS, LISTED, SIZE, Kind, write_data_set

WHOLE = ["--data.scale", "[1,1]", "--data.flip", "0", "--data.max_ratio", "1", "--data.crop", f"{SIZE[0]}x{SIZE[1]}"]
SMALL = [
    *("--data.batch_size=2", "--data.num_workers=0", "--trainer.max_steps=2", "--trainer.val_check_interval=1"),
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--pictures.count=0"),
    *("--trainer.precision=32-true", "--model.schedule.warmup_steps=0"),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """The masks that reached the loss, by the name of their image."""
    seen: dict[str, np.ndarray] = {}
    original = SegmentationTask.compute_loss

    def spy(self: SegmentationTask, batch: SegmentationBatch) -> torch.Tensor:
        seen.update({Path(path).name: mask.numpy() for path, mask in zip(batch["path"], batch["mask"], strict=True)})
        return original(self, batch)

    monkeypatch.setattr(SegmentationTask, "compute_loss", spy)
    return seen


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "folder_segnext_t", "--data.root", str(root), *SMALL, *WHOLE, *words])


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_mask_reaches_the_loss_as_it_was_drawn(
    name: str, tmp_path: Path, fed: dict[str, np.ndarray]
) -> None:
    kind = KINDS[name]
    expected = write_data_set(tmp_path / "mine", kind, {"train": 4, "val": 2})
    words = [f"--data.{key}={value}".lower() for key, value in kind.options.items()]
    assert fit(tmp_path / "mine", *words) == 0
    assert len(fed) == 4
    for image, mask in fed.items():
        assert np.array_equal(mask, expected[image]), image


def test_an_unnamed_set_says_what_it_took_for_what_and_the_run_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_set(tmp_path / "mine", KINDS["values, unnamed"], {"train": 2, "val": 1})
    assert fit(tmp_path / "mine") == 0
    out = capsys.readouterr().out
    assert "images/<split>/ with masks/<split>/, paired by name; splits by folder: train 2, val 1" in out
    assert "3 classes taken from 3 masks: 0 is 'class_0'" in out
    assert "ignored: 255 (6.2 %)" in out
    kept = read_recipe(Path("runs/latest/recipe.yaml"))["data"]["init_args"]["classes"]
    assert [one["name"] for one in kept["classes"]] == ["class_0", "class_1", "class_2"]
    (tmp_path / "mine/classes.yaml").write_text("classes: [other, names, here]\n")
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert "class_2" in capsys.readouterr().out


REFUSED = {
    "a JPEG": (Kind(KINDS["binary JPEG"].store), "3 of 3 masks are JPEG files, .*--data.masks binary"),
    "a colour in no class": (
        Kind(KINDS["colours"].store, KINDS["colours"].classes.replace("244, 35, 232", "244, 35, 231")),
        r"a colour: \[244, 35, 232\] \(\d+ px\) in no class",
    ),
    "a value in no class": (Kind(KINDS["values"].store, "classes: [ground, car]\n"), r"label id out of range: 2 \("),
    "only void": (
        Kind(lambda path, drawn: KINDS["values"].store(path, np.full_like(drawn, 255))),
        r"masks hold 255 \(1e\+02 %\); with 255 ignored that is no class",
    ),
    "one class": (
        Kind(lambda path, drawn: KINDS["values"].store(path, np.where(drawn == 1, 1, 255).astype(np.uint8))),
        "the class 1 only, and a network cannot learn from it",
    ),
    "instances": (
        Kind(lambda path, drawn: KINDS["16 bits"].store(path, np.arange(drawn.size).reshape(drawn.shape) % 300)),
        "different values, .* at most 253 classes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_spoil_a_training_stops_it_before_the_first_step(
    name: str, tmp_path: Path, fed: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    kind, message = REFUSED[name]
    write_data_set(tmp_path / "mine", kind, {"train": 2, "val": 1})
    assert fit(tmp_path / "mine") == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("foveate: ERROR data")]
    assert len(errors) == 1
    assert re.search(message, errors[0]), errors[0]
    assert not fed


def test_a_share_of_the_images_becomes_val_where_nothing_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_set(tmp_path / "mine", Kind(KINDS["values"].store, LISTED), {"": 10})
    assert fit(tmp_path / "mine", "--data.val_share", "0.4") == 0
    assert (
        "no splits, no val: 0.4 of the images of train become val, by a hash of the name: train"
        in capsys.readouterr().out
    )
