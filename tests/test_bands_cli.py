"""Images with four bands of 16 bits through the whole tool: fit, validate, resume and predict."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.recipes import read_recipe
from foveate.tests.datasets.banded import HIGH, LOW, write_set

pytest.importorskip("tifffile")
SMALL = [
    *("--data.crop=32x32", "--data.batch_size=2", "--data.num_workers=0", "--trainer.max_steps=2"),
    *("--trainer.val_check_interval=2", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
    *("--trainer.precision=32-true", "--model.schedule.warmup_steps=0"),
]
RUN = Path("runs/camvid_segnext_t/0001")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    return write_set(tmp_path / "bands", 4)


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "camvid_segnext_t", "--data.root", str(root), *SMALL, *words])


@pytest.mark.slow
def test_four_bands_of_16_bits_are_trained_on_scored_and_predicted(bands: Path, capsys: Output) -> None:
    assert fit(bands, "--data.augmentations=[HueSaturationValue, GaussianBlur]") == 0
    said = capsys.readouterr().err
    assert said.count(f"{LOW} to {HIGH} is mapped to 0-255") == 1
    assert "augmentations that need RGB are skipped: HueSaturationValue" in said
    assert "normalisation of training images, in 0-255: mean" in said
    recipe = read_recipe(RUN / "recipe.yaml")
    assert recipe["data"]["init_args"]["range"] == [LOW, HIGH]
    assert recipe["model"]["init_args"]["network_options"]["in_channels"] == 4
    checkpoint = read_checkpoint(RUN / "checkpoints/last.ckpt")["state_dict"]
    assert checkpoint["normalise.mean"].shape == (4, 1, 1)
    assert np.asarray(Image.open(next(RUN.glob("overlays/step-000002/*")))).shape[2] == 3

    assert main(["validate", "--ckpt_path", "last"]) == 0
    assert "mapped to 0-255" not in capsys.readouterr().err  # the run's recipe has the range
    assert main(["predict", "--ckpt_path", "last", "--data.images", str(bands / "val")]) == 0
    assert np.asarray(Image.open("predictions/labels/0.png")).shape == (48, 64)
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps=3"]) == 0
    again = read_checkpoint(RUN / "checkpoints/last.ckpt")
    assert again["global_step"] == 3
    assert torch.equal(again["state_dict"]["normalise.mean"], checkpoint["normalise.mean"])


def test_prediction_reads_as_the_training_did(bands: Path, capsys: Output) -> None:
    assert fit(bands, "--data.bands=[4,1]", "--data.range=[0,4095]") == 0
    Image.new("RGB", (64, 48)).save(bands / "val/colour.png")
    Image.new("L", (64, 48)).save(bands / "val/grey.png")
    assert main(["predict", "--ckpt_path", "last", "--data.images", str(bands / "val")]) == 3
    said = capsys.readouterr()
    assert "2 images: label maps" in said.out
    assert "grey.png: has 1 bands, and --data.bands asks for number 4" in said.err
    assert read_recipe(RUN / "recipe.yaml")["model"]["init_args"]["network_options"]["in_channels"] == 2


def test_an_image_with_another_number_of_bands_is_listed_by_prediction(bands: Path, capsys: Output) -> None:
    assert fit(bands) == 0
    shutil.copy(write_set(bands / "five", 5) / "val/0.tif", bands / "val/five.tif")
    assert main(["predict", "--ckpt_path", "last", "--data.images", str(bands / "val")]) == 3
    assert "five.tif: has 5 channels, not 4" in capsys.readouterr().err


def test_damaged_images_are_skipped_if_asked_and_listed(bands: Path, capsys: Output) -> None:
    broken = bands / "train/1.tif"
    broken.write_bytes(broken.read_bytes()[:-4000])
    assert fit(bands) == 3
    assert "1.tif: cut short" in capsys.readouterr().err
    assert fit(bands, "--data.on_damaged=skip") == 0
    assert "skipped 1 damaged files, 1 times; other samples took their place: " in capsys.readouterr().err


def test_mixed_depths_stop_a_training_with_the_files_and_the_cure(bands: Path, capsys: Output) -> None:
    shutil.copy(write_set(bands / "bytes", 4, dtype="uint8") / "val/0.tif", bands / "val/0.tif")
    assert fit(bands) == 3
    assert "16-bit in" in (said := capsys.readouterr().err)
    assert "give --data.range [LOW, HIGH]" in said
