"""docs/export.md: its Python runs as it stands, and its tables hold the numbers of the code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import foveate
from foveate.pipeline.export import parity

from .conftest import CLASSES, pictures


@pytest.fixture
def text(root: Path) -> str:
    return (root / "docs/export.md").read_text()


def test_ten_lines_without_foveate_give_the_predictor_s_labels(
    text: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(written, "model.onnx")
    Image.fromarray(pictures(1)[0].image.numpy().transpose(1, 2, 0)).save("street.png")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    assert "foveate." not in code
    found: dict[str, object] = {}
    exec(code, found)
    told = capsys.readouterr().out
    assert any(name in told for name in CLASSES)
    assert np.array_equal(found["labels"], foveate.load("model.onnx")("street.png").labels)


def test_the_limits_are_those_of_the_code(text: str) -> None:
    told = dict(re.findall(r"^\| (fp32|fp16|bf16|int8) \| ([\d.]+) %", text, flags=re.MULTILINE))
    assert {name: float(share) / 100 for name, share in told.items()} == pytest.approx(parity.LEAST)


def test_the_checking_file_has_the_lines_it_says(text: str, written: Path) -> None:
    lines = len((written.parent / "check_model.py").read_text().splitlines())
    assert f"has {lines} lines" in text
