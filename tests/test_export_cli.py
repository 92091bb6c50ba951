"""Export through the command; then the file in the place of the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.plugins import manager

pytestmark = pytest.mark.slow
SHORT = [
    *("--data.batch_size=2", "--data.num_workers=0", "--trainer.max_steps=2", "--trainer.val_check_interval=2"),
    *("--trainer.log_every_n_steps=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
    *("--pictures.count=0", "--report=false"),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs are kept below the current folder; shapes are not checked, since sizes are symbols in a captured graph."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(manager, "_installed", None)
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def scores(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The figures that a validation prints."""
    capsys.readouterr()
    assert main(["validate", *words]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    return [line for line in told.splitlines() if line.startswith(("mean", "all", "road", "sky", "accuracy", "images"))]


def test_a_segmenter_with_a_third_party_s_parts(
    root: Path, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("my_parts.py").write_text((root / "examples/parts/my_parts.py").read_text())
    words = ["--config", "synthetic_segnext_t", "--plugins", "my_parts", "--data.root", str(cityscapes_root)]
    network = ["--model.network", "tiny+linear", "--model.attention", "{}", "--model.network_options", "null"]
    assert main(["fit", *words, *network, "--data.crop=[32,32]", *SHORT]) == 0, capsys.readouterr().err
    assert main(["export", "last", "--size", "dynamic", "--out", "out/model.onnx"]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    assert "100.0000%" in told
    assert "takes any size" in told
    assert json.loads(Path("out/model.parity.json").read_text())["passed"]

    manager._installed = None  # the file needs no plugin
    data = ["--data.root", str(cityscapes_root)]
    assert scores(["--model", "out/model.onnx", *data], capsys) == scores(["--ckpt_path", "last"], capsys)
    images = cityscapes_root / "leftImg8bit/val"
    for source, out in ((["--model", "out/model.onnx"], "file"), (["--ckpt_path", "last"], "checkpoint")):
        assert main(["predict", *source, "--data.images", str(images), "--out", out]) == 0, capsys.readouterr().err
    pairs = [(path, Path("checkpoint") / path.relative_to("file")) for path in Path("file/labels").rglob("*.png")]
    assert len(pairs) == 3
    assert all(np.array_equal(np.asarray(Image.open(a)), np.asarray(Image.open(b))) for a, b in pairs)


def test_a_classifier_and_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for number, name in enumerate(("bee", "cat", "dog")):
            for index in range(count):
                pixels = np.random.default_rng([number, index]).integers(0, 256, (40, 48, 3), dtype=np.uint8)
                path = Path("animals") / split / name / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    words = ["--config", "imagenet_mobilenet_v2", "--data.root", "animals", "--model.network=mobilenet_v2_035"]
    assert main(["fit", *words, "--data.image_size=32", *SHORT]) == 0, capsys.readouterr().err
    assert main(["export", "last", "--out", "model.onnx"]) == 0, capsys.readouterr().err
    assert "takes 32 x 32 alone" in capsys.readouterr().out
    file = ["--model", "model.onnx", "--data.root", "animals"]
    assert scores(file, capsys) == scores(["--ckpt_path", "last"], capsys)
    assert main(["predict", "--model", "model.onnx", "--data.images", "animals/val", "--out", "out"]) == 0

    assert main(["fit", "--model", "model.onnx"]) == 2
    assert "cannot be trained" in capsys.readouterr().err
    assert main(["validate", *file, "--ckpt_path", "last"]) == 2
    assert "which weights?" in capsys.readouterr().err
    assert main(["validate", "--model", "none.onnx"]) == 4
    assert "none.onnx: no such exported model" in capsys.readouterr().err
    assert main(["export", "last", "--data.root", "gone"]) == 3
    assert "give --images FOLDER" in capsys.readouterr().err
    assert main(["export", "last", "--precision", "bf16"]) == 2
    assert main(["export", "last", "--images", "animals/val", "--size", "64x64", "--out", "other.onnx"]) == 0
    assert "takes 64 x 64 alone" in capsys.readouterr().out
