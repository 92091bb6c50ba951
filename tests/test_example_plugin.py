"""The example plugin, installed as a user would and used from another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LIST = """
import sys
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block
offer = installed_plugins().find("triplet", Block)
print(offer.provider, offer.record.paper, "torch" in sys.modules)
"""

TRAIN = """
import lightning.pytorch as L
import torch
from foveate.datasets.labels import CAMVID
from foveate.pipeline.segmentation import SegmentationTask

task = SegmentationTask("segnext_t", attention={"stage": "triplet", "gate": "msca"}, labels=CAMVID)
before = {name: value.clone() for name, value in task.named_parameters() if "attention1.branches" in name}
batch = {
    "image": torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8),
    "mask": torch.randint(0, 11, (2, 64, 64), dtype=torch.uint8),
    "path": ["a", "b"],
}
trainer = L.Trainer(max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
trainer.fit(task, torch.utils.data.DataLoader([batch] * 2, batch_size=None))
moved = [name for name, value in task.named_parameters() if name in before and not torch.equal(value, before[name])]
print("moved", len(moved), "of", len(before))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the plugin installed."""
    root = Path(__file__).resolve().parents[1]
    source = tmp_path_factory.mktemp("source") / "foveate-triplet"  # a build leaves files beside the sources
    shutil.copytree(root / "examples/foveate-triplet", source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], cwd=source, check=True)
    return target


def run(program: str, *paths: Path, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", program]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_is_listed_without_importing_torch(site: Path, tmp_path: Path) -> None:
    assert run(LIST, site, cwd=tmp_path) == "foveate-triplet 0.1.0 arXiv:2010.03045 False"


def test_without_it_there_is_no_such_block(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no block named 'triplet'"):
        run(LIST, cwd=tmp_path)


def test_it_trains_inside_a_model(site: Path, tmp_path: Path) -> None:
    assert run(TRAIN, site, cwd=tmp_path).splitlines()[-1] == "moved 9 of 9"


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    tests = Path(__file__).resolve().parents[1] / "examples/foveate-triplet/tests"
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tests)]
    assert "7 passed" in run(f"import pytest, sys; sys.exit(pytest.main({options!r}))", site, cwd=tmp_path)
