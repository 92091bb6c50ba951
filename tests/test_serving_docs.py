"""docs/serving.md: its commands run as they stand, and its figures are those of the code."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.pipeline.commands.serve import ServeOptions
from foveate.pipeline.serving.limits import Limits
from foveate.tests.faults.conftest import finish, start

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "serving.md").read_text()
LINES = [line.strip() for line in TEXT.splitlines() if line.startswith("    ")]
FIT = (
    "fit --config camvid_segnext_t --data.batch_size=2 --data.num_workers=0 --data.crop=[32,32] --trainer.max_steps=1 "
    "--trainer.max_epochs=-1 --trainer.val_check_interval=1 --trainer.check_val_every_n_epoch=null"
)


def commands(name: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in LINES if line.startswith(f"foveate {name} ")]


def test_the_limits_are_those_of_the_code() -> None:
    options = ServeOptions("model")
    for name in ("seconds", "max_mb", "max_megapixels", "requests", "batch", "wait_ms"):
        assert f"`--{name}` ({getattr(options, name):g})" in TEXT, name
    assert (Limits().batch, Limits().requests, Limits().seconds) == (options.batch, options.requests, options.seconds)
    assert Limits().wait == options.wait_ms / 1000
    assert Limits().pixels == options.max_megapixels * 1e6


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCS / target).is_file(), target


def test_the_demo_commands_load_the_models_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("foveate.pipeline.commands.demo.find_spec", lambda name: name)
    monkeypatch.setattr("foveate.pipeline.predictor.Predictor.load", lambda source, **options: source)
    monkeypatch.setattr("foveate.pipeline.demo.running.run_page", lambda models, **options: shown.append(dict(models)))
    for words in commands("demo"):
        assert main(words) == 0
    assert shown == [
        {"runs/latest": "runs/latest"},
        {name: f"runs/{name}" for name in ("camvid_segnext_t/0001", "camvid_segnext_t/0002")},
    ]


def test_without_gradio_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("demo", "serve"):
        monkeypatch.setattr(f"foveate.pipeline.commands.{command}.find_spec", lambda name: None)
    assert main(["demo", "runs/latest"]) == 2
    assert "pip install 'foveate[demo]'" in capsys.readouterr().err
    assert main(["serve", "runs/latest"]) == 2
    assert "pip install 'foveate[serve]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run was trained for a step, with a photo and videos."""
    folder = tmp_path_factory.mktemp("serving")
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 1)):
        for number in range(count):
            for kind, shape in ((split, (48, 64, 3)), (f"{split}annot", (48, 64))):
                path = folder / "camvid" / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 11, shape, dtype=np.uint8)).save(path)
    Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "street.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FOVEATE_RUN_DIR", "")
        assert main([*shlex.split(FIT), "--data.root", "camvid"]) == 0
    return folder


@pytest.mark.slow
def test_the_commands_on_videos_run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    from foveate.tests.pipeline.video.clips import make_clip

    monkeypatch.chdir(trained)
    for name in ("drive.mp4", "drives/a.mp4", "drives/b.mp4"):
        make_clip(Path(name), frames=6, size=(48, 64))
    assert len(commands("predict")) == 2
    for words in commands("predict"):
        assert main(words) == 0, words
    assert {path.name for path in Path("labelled/overlays").iterdir()} == {"drive.mp4", "a.mp4", "b.mp4"}
    (code,) = re.findall(r"^    import av\n(?:    .*\n)+", TEXT, re.MULTILINE)
    found: dict[str, Any] = {}
    exec(textwrap.dedent(code), found)
    assert found["ids"].shape == (48, 64)


@pytest.mark.slow
def test_the_commands_on_the_server_run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    monkeypatch.chdir(trained)
    (words,) = commands("serve")
    process = start(trained, [*words[: words.index("--port")], "--port", "0"])
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"127\.0\.0\.1:\d+", line)
    assert found, line + finish(process)[1]
    answers = [
        subprocess.run(
            [*shlex.split(line.replace("localhost:8000", found[0])), "--fail", "--silent"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in LINES
        if line.startswith("curl ")
    ]
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0
    for name in ("labels.png", "overlay.png"):
        with Image.open(name) as picture:
            assert picture.size == (64, 48)
    assert '"kind": "segmentation"' in answers[2]
