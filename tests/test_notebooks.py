"""The notebooks of examples/ run from start to end, with tiny sizes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples/notebooks").glob("*.ipynb"))
TINY = {
    "STEPS": "STEPS = 1",
    "SCENES": 'SCENES = ["--train", "4", "--val", "2", "--size", "64x128"]',
}


def read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat")
    with path.open(encoding="utf-8") as file:
        return nbformat.read(file, as_version=4)


def shrink(source: str) -> str:
    """The cell of parameters with tiny ones."""
    return "\n".join(TINY[line.split(" = ")[0]] for line in source.splitlines())


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["own_block", "quickstart", "transfer"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_valid_and_kept_without_outputs(path: Path) -> None:
    notebook = read(path)
    import nbformat

    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = read(path)
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = shrink(cell.source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that run a kernel
        client = nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}})
        client.execute()
    shown = [out for cell in notebook.cells for out in cell.get("outputs", []) if "data" in out]
    assert any("text/html" in out["data"] for out in shown)
