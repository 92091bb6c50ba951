"""Large images through the command: read by windows, labelled area by area, with the labels of one pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.datasets.files import windowed
from foveate.pipeline.callbacks import reducing
from foveate.pipeline.inference import large

pytestmark = pytest.mark.slow
tifffile = pytest.importorskip("tifffile", reason="the extra tiff is not installed")
SIZE = (150, 333)
SLIDE = ["--model.inference.mode=slide", "--model.inference.size=[64,64]", "--model.inference.stride=[48,48]"]


def test_a_tiff_that_is_read_by_windows_has_the_labels_of_one_pass(
    cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    fit = ["fit", "--config", "synthetic_segnext_t", "--data.root", str(cityscapes_root), "--data.crop=[32,32]"]
    steps = ["--data.batch_size=2", "--data.num_workers=0", "--trainer.max_steps=1", "--trainer.max_epochs=-1"]
    often = ["--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]
    assert main([*fit, *steps, *often, *SLIDE]) == 0
    values = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", values, photometric="rgb", tile=(64, 64), compression="zlib")
    predict = ["predict", "--ckpt_path", "best", "--data.images", "images", "--data.num_workers=0"]
    assert main([*predict, "--out", "whole"]) == 0
    with monkeypatch.context() as patched:
        for module, name, value in (
            (large, "LARGEST", 1000),
            (large, "IN_MEMORY", 1000),
            (windowed, "FROM", 1000),
            (reducing, "SIDE", 64),
        ):
            patched.setattr(module, name, value)
        assert main([*predict, "--out", "areas"]) == 0
    whole, areas = (np.asarray(Image.open(folder / "labels" / "a.png")) for folder in (Path("whole"), Path("areas")))
    assert whole.shape == SIZE
    np.testing.assert_array_equal(areas, whole)
    assert len(list(Path("areas/overlays").iterdir())) == 1
