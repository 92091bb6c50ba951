"""`foveate submit` from a checkpoint to a checked zip, and what it does when it is asked again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from foveate.cli import main

pytestmark = pytest.mark.slow
SHORT = "--data.batch_size=2 --data.num_workers=0 --data.crop=[32,32] --trainer.max_steps=1 --trainer.max_epochs=-1"
SMALL = ["--split", "val", "--count", "3", "--size", "64x128"]


@pytest.fixture
def checkpoint(cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    fit = ["fit", "--config", "synthetic_segnext_t", f"--data.root={cityscapes_root}", *SHORT.split()]
    fit += ["--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]
    assert main(fit) == 0
    return "runs/latest/checkpoints/last.ckpt"


def test_a_zip_is_made_and_an_interrupted_one_is_gone_on_with(
    checkpoint: str, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", "--ckpt_path", checkpoint, "--out", "s.zip", *SMALL]
    assert main(words) == 0  # the root is that of the training
    assert "3 label maps of 64 x 128 with regular ids, ready for the server" in capsys.readouterr().out
    first = Path("s.zip").read_bytes()
    with zipfile.ZipFile("s.zip") as archive:
        assert len(archive.namelist()) == 3
        assert all("/" not in name for name in archive.namelist())
    assert not Path("s/overlays").exists()

    next(Path("s/labels").rglob("*.png")).unlink()
    kept = {file: file.stat().st_mtime_ns for file in Path("s/labels").rglob("*.png")}
    assert main(words) == 0
    assert "1 images: label maps" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert Path("s.zip").read_bytes() == first
    assert main(words) == 0  # with nothing left to do

    assert main([*words, "--model.inference.mode", "slide"]) == 2
    assert "s holds predictions of another checkpoint or other options" in capsys.readouterr().err
    assert main(["score", "s", str(cityscapes_root)]) == 0


def test_a_folder_of_something_else_and_a_network_of_other_classes_are_refused(
    checkpoint: str, camvid_root: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s").mkdir()
    Path("s/thesis.txt").write_text("")
    assert main(["submit", "--ckpt_path", checkpoint, "--out", "s.zip", *SMALL]) == 2
    assert "s exists and holds something else" in capsys.readouterr().err
    fit = ["fit", "--config", "camvid_segnext_t", f"--data.root={camvid_root}", *SHORT.split()]
    assert main([*fit, "--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]) == 0
    capsys.readouterr()
    words = ["submit", "--ckpt_path", "last", f"--data.root={cityscapes_root}", "--out", "t.zip", *SMALL]
    assert main(words) == 4
    assert "predicts the classes of camvid; the server takes Cityscapes' 19 classes" in capsys.readouterr().err
