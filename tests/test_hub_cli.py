"""Data sets of Hugging Face through the command line: found, checked, packed, trained, scored, resumed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.pipeline.runs.recipes import read_recipe
from foveate.tests.datasets.tables.saved_tables import class_table, mask_table, write_parquet, write_saved

SMALL = [
    *("--data.batch_size=2", "--data.num_workers=1", "--trainer.max_steps=2", "--trainer.val_check_interval=1"),
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--pictures.count=0"),
    *("--trainer.precision=32-true", "--model.schedule.warmup_steps=0"),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


@pytest.mark.slow
def test_tables_with_label_maps_are_checked_packed_and_trained(capsys: pytest.CaptureFixture[str]) -> None:
    write_parquet(Path("things"), {"train": mask_table("train", 4), "validation": mask_table("validation", 2)})
    assert main(["data", "check", "things"]) == 0
    assert "things has the layout of hub" in capsys.readouterr().out
    assert main(["data", "pack", "things"]) == 0
    words = ["--config", "folder_segnext_t", "--data", "hub", "--data.root", "things", "--data.crop=32x32"]
    assert main(["fit", *words, "--data.cache=packed", *SMALL]) == 0
    kept = read_recipe(Path("runs/latest/recipe.yaml"))["data"]["init_args"]
    assert (kept["image_column"], kept["label_column"], kept["revision"]) == ("image", "annotation", None)
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert "class_2" in capsys.readouterr().out


def test_tables_with_classes_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    tables = {"train": class_table("train", 3), "validation": class_table("validation", 2)}
    write_parquet(Path("animals"), tables)
    assert main(["data", "check", "animals"]) == 0
    assert "animals has the layout of hub_images" in capsys.readouterr().out
    write_parquet(Path("twice"), {**tables, "validation": class_table("train", 2)})
    assert main(["data", "check", "twice"]) == 3
    assert "[splits.same]" in capsys.readouterr().out


def test_tables_with_classes_are_trained_and_scored(capsys: pytest.CaptureFixture[str]) -> None:
    write_saved(Path("animals"), {"train": class_table("train", 9), "test": class_table("test", 2)})
    words = ["--config", "imagenet_mobilenet_v2", "--data", "hub_images", "--data.root", "animals"]
    small = [*SMALL, "--model.optimizer.lr=0.001"]  # the recipe's is for batches of 256
    assert main(["fit", *words, "--data.image_size=32", "--data.val_share=0.5", *small]) == 0
    assert "no validation split" in capsys.readouterr().err
    assert main(["test", "--ckpt_path", "last"]) == 0
    assert "tree" in capsys.readouterr().out


def test_without_pyarrow_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(Path("things"), {"train": mask_table("train", 4)})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # what makes an import fail
    assert main(["fit", "--config", "folder_segnext_t", "--data", "hub", "--data.root", "things", *SMALL]) == 2
    assert "pyarrow, which is not installed: pip install 'foveate[hub]'" in capsys.readouterr().err
