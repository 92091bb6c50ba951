"""A trained model behind HTTP: what is served is what the predictor says, and ending loses no answer."""

from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from foveate.cli import main
from foveate.pipeline.predictor import Predictor
from foveate.pipeline.predictor.source import open_source
from foveate.pipeline.serving.model import model_of
from foveate.tests.faults.conftest import finish, start
from foveate.tests.pipeline.predictor.models import classifier, photo, segmenter
from foveate.tests.pipeline.serving.running import ask, encoded, picture, reason, running, until

PHOTO = photo((70, 90))


def test_the_labels_are_those_of_the_predictor(tmp_path: Path) -> None:
    path = segmenter(tmp_path / "best.ckpt")
    expected = Predictor.load(path, engine="torch")(PHOTO)
    with (
        running(model_of(open_source(path), 10_000, engine="torch", batch_size=4)) as one,
        ThreadPoolExecutor(4) as pool,
    ):
        answers = list(pool.map(lambda _: ask(f"{one.url}/predict", encoded(PHOTO)), range(4)))
        assert ask(f"{one.url}/predict", encoded(photo((101, 100))))[0] == 413
    for status, content, _ in answers:
        assert status == 200
        agreed = picture(content) == expected.label_set.to_regular_ids()[expected.labels]
        assert agreed.mean() > 0.999  # batches round sums in another order


def test_a_classifier_gives_json(tmp_path: Path) -> None:
    path = classifier(tmp_path / "best.ckpt")
    expected = Predictor.load(path, engine="torch")(PHOTO)
    with running(model_of(open_source(path), 10_000, engine="torch")) as one:
        told = json.loads(ask(f"{one.url}/predict", encoded(PHOTO))[1])
        status, content, _ = ask(f"{one.url}/predict?output=labels", encoded(PHOTO))
    assert told["label"] == expected.label
    top = [(each["name"], each["probability"]) for each in told["top"]]
    assert top == [(name, pytest.approx(value, abs=1e-5)) for name, value in expected.top(5)]
    assert (status, "offers: json" in reason(content)) == (400, True)


@pytest.mark.parametrize(
    ("flags", "says"),
    [(["--batch", "0"], "--batch 0"), (["--wait_ms", "-1"], "--wait_ms"), (["--port", "70000"], "65535")],
)
def test_wrong_options_are_told(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "none.ckpt", *flags]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_checkpoint_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(tmp_path / "none.ckpt"), "--port", "0"]) == 4
    assert "none.ckpt" in capsys.readouterr().err


@pytest.mark.slow
def test_sigterm_ends_the_command_after_every_answer(tmp_path: Path) -> None:
    segmenter(tmp_path / "best.ckpt")
    words = ["serve", "best.ckpt", "--port", "0", "--engine", "torch", "--batch", "2"]
    process = start(tmp_path, words)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line + finish(process)[1]
    image = encoded(photo((512, 768)))
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(ask, f"{found[0]}/predict", image) for _ in range(12)]
        until(lambda: b"foveate_requests_running 12" in ask(f"{found[0]}/metrics")[1], 30)
        process.send_signal(signal.SIGTERM)
        assert [answer.result(60)[0] for answer in answers] == [200] * 12
    code, output = finish(process)
    assert (code, output.strip()) == (0, "ended; every request that was taken has its answer")
