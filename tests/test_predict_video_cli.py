"""`foveate predict` of videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from foveate.cli import main
from foveate.pipeline.predictor import Predictor
from foveate.tests.pipeline.predictor.models import classifier, segmenter
from foveate.tests.pipeline.video.clips import content_of, damage, make_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints and a clip."""
    root = tmp_path_factory.mktemp("videos")
    segmenter(root / "seg.ckpt")
    classifier(root / "cls.ckpt")
    make_clip(root / "drive.mp4", frames=6)
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("seg.ckpt", "cls.ckpt"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "drive.mp4").write_bytes((folder / "drive.mp4").read_bytes())
    return tmp_path


def predict(*words: str, model: str = "seg.ckpt") -> int:
    return main(["predict", "--ckpt_path", model, "--out", "out", *words])


def test_a_video_is_labelled_as_its_frames_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--data.images", "drive.mp4", "--data.num_workers=0") == 0
    assert "1 videos, 6 frames: out" in capsys.readouterr().out
    given, found = content_of(here / "drive.mp4"), content_of(here / "out/labels/drive.mkv", "gray")
    predictor = Predictor.load("seg.ckpt", engine="torch")
    table = predictor.label_set.to_regular_ids()
    for picture, ids in zip(given.pictures, found.pictures, strict=True):
        assert np.array_equal(ids, table[predictor(picture).labels])
    assert content_of(here / "out/overlays/drive.mp4").audio == given.audio


def test_options_and_the_summary_for_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_clip(here / "short.mp4", frames=3, audio=False)
    words = ["--data.images", "*.mp4", "--outputs", "labels", "--every", "2", "--json"]
    assert predict(*words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(video["source"], video["frames"]) for video in told["videos"]] == [("drive.mp4", 6), ("short.mp4", 3)]
    assert sorted(path.name for path in Path("out").rglob("*.*")) == ["drive.mkv", "short.mkv"]
    ids = content_of(here / "out/labels/drive.mkv", "gray").pictures
    assert all(np.array_equal(ids[number], ids[number + 1]) for number in (0, 2, 4))
    assert predict(*words, "--resume") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "kind": "video", "written_before": 2, "videos": []}


def test_damage_is_told_and_the_rest_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(here / "drive.mp4", 2)
    assert predict("--data.images", "drive.mp4") == 3
    assert "drive.mp4: frame at 0.07 s: " in capsys.readouterr().err.splitlines()[-1]
    assert len(content_of(here / "out/overlays/drive.mp4").times) == 5


@pytest.mark.parametrize(
    ("words", "model", "says"),
    [
        (["--outputs", "palette"], "seg.ckpt", "a video is written as labels or overlay, not as palette"),
        (["--every", "0"], "seg.ckpt", "--every is at least 1"),
        (["--every", "x"], "seg.ckpt", "--every is a whole number"),
        (["--model.inference.mode", "slide"], "seg.ckpt", "--model.inference.mode is not for videos"),
        ([], "cls.ckpt", "this one classifies images"),
    ],
)
def test_options_that_do_not_fit_are_told(
    here: Path, words: list[str], model: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict("--data.images", "drive.mp4", *words, model=model) == 2
    assert says in capsys.readouterr().err
    assert not Path("out").exists()


def test_what_is_no_video_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "none.mp4").write_bytes(b"nothing" * 50)
    assert predict("--data.images", "none.mp4") == 3
    assert "none.mp4: cannot be read as a video" in capsys.readouterr().err
    assert [path for path in Path("out").rglob("*") if path.is_file()] == []
