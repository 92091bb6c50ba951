"""docs/prediction.md: its Python and its commands run as they stand, and its tables name what there is."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import foveate
from foveate.cli import main
from foveate.pipeline.outputs import DEFAULT, FOLDERS, OUTPUTS
from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint
from foveate.pipeline.training.written import Summary
from foveate.tests.pipeline.predictor.models import photo, segmenter

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "prediction.md").read_text()
COMMANDS = [line.strip() for line in TEXT.splitlines() if line.startswith("    foveate ")]
(PYTHON,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, two photos and a list of them, in the current folder."""
    monkeypatch.chdir(tmp_path)
    checkpoint = segmenter(tmp_path / "runs/camvid/0001/checkpoints/best.ckpt")
    (tmp_path / "runs/latest").symlink_to(tmp_path / "runs/camvid/0001")
    (checkpoint.parents[1] / "recipe.yaml").write_text(yaml.safe_dump(read_checkpoint(checkpoint)[RECIPE_KEY]))
    Path("photos/more").mkdir(parents=True)
    for name in ("street", "more/park"):
        Image.fromarray(photo((40, 50))).save(f"photos/{name}.jpg")
    Path("paths.txt").write_text("photos/street.jpg\nphotos/more/park.jpg\n")
    return tmp_path


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the snippet is short
@pytest.mark.slow
def test_the_python_runs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, object] = {}
    exec(PYTHON, found)
    assert "image 0" in capsys.readouterr().out
    assert {path.name for path in Path("labelled").iterdir()} == {"labels", "overlays", "confidence"}
    assert Image.open("overlay.png").size == (50, 40)
    assert isinstance(found["mask"], np.ndarray)
    assert len(PYTHON.splitlines()) <= 10


@pytest.mark.slow
def test_the_commands_run(run: Path) -> None:
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        assert main([*words, "--data.num_workers=0"]) == 0, command
    assert {path.name for path in Path("labelled").iterdir()} == {
        *(folder for output, (folder, _) in FOLDERS.items() if output != "geojson"),
        "shares.csv",
    }


def test_the_tables_name_every_argument_output_and_field() -> None:
    arguments = [name for name in inspect.signature(foveate.load).parameters if name != "self"]
    summary = Summary(out=Path(), kind="", classes=(), outputs=(), images=0, left_out=0, faults=(), told="")
    for name in (*arguments, *OUTPUTS, *summary.as_json()):
        assert f"`{name}`" in TEXT, name
    assert re.findall(r"^\| `(\w+)` \(default\)", TEXT, flags=re.MULTILINE) == list(DEFAULT)
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCS / target).is_file(), target
