"""A config and a checkpoint of mmseg become a run whose first loss is mmseg's on the same batch."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from foveate.cli import main
from foveate.datasets.class_lists.ade20k import ADE20K
from foveate.pipeline.models import create_model
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.weights import load_initial_weights
from foveate.pipeline.weights.layouts.known import MMSEG
from foveate.plugins.attention.hamburger import NMF2d
from foveate.tests.conftest import ROOT
from foveate.tests.pipeline.mmseg.configs import write_configs
from foveate.tests.pipeline.mmseg.formula import bases_of, batch, tensor_of

# What peer_loss.py printed with mmsegmentation 1.2.2, mmengine 0.10.7, torch 2.x on a CPU, for first_step.py.
LOSS = 4.648759842
OTHERS = {"s": 4.615592957, "b": 4.549538612, "l": 4.608662605}  # likewise, for first_step_s.py ...
CLOSE = 1e-5


def write_checkpoint(path: Path, network: str = "segnext_t") -> Path:
    """A file as mmseg saves it, with its names."""
    ours = create_model(network, num_classes=150).state_dict()
    names = {MMSEG.from_ours(name): value.shape for name, value in ours.items() if not name.endswith("ham.bases")}
    state = {name: tensor_of(name, shape) for name, shape in names.items() if name is not None}
    torch.save({"state_dict": state, "meta": {"mmseg_version": "1.2.2"}}, path)
    return path


def same_bases(self: NMF2d, count: int) -> Tensor:
    return bases_of(self.bases.shape[1], self.rank).expand(count, -1, -1)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_configs(tmp_path)
    monkeypatch.setattr(NMF2d, "_start", same_bases)
    path = tmp_path / "first_step.yaml"
    assert main(["recipes", "from-mmseg", str(tmp_path / "first_step.py"), "--out", str(path)]) == 0
    return path


def check_loss(recipe: Path, network: str, expected: float) -> None:
    """Build what a recipe describes, load a checkpoint of mmseg, and compare the loss of the batch."""
    arguments = yaml.safe_load(recipe.read_text())["model"]["init_args"]
    wanted = ("network", "network_options", "attention", "loss")
    task = SegmentationTask(**{key: arguments[key] for key in wanted}, labels=ADE20K)
    report = load_initial_weights(task.network, write_checkpoint(recipe.with_name(f"{network}.pth"), network))
    assert report.coverage == 1
    assert not report.missing
    image, mask = batch()
    loss = task.train().compute_loss({"image": image, "mask": mask, "path": ["a", "b"]})
    assert float(loss.detach()) == pytest.approx(expected, abs=CLOSE)


def test_the_loss_of_the_recipe_is_mmseg_s(recipe: Path) -> None:
    check_loss(recipe, "segnext_t", LOSS)


@pytest.mark.slow
@pytest.mark.parametrize("size", OTHERS)
def test_the_loss_of_the_other_variants_is_mmseg_s(recipe: Path, size: str) -> None:
    path = recipe.with_name(f"other_{size}.yaml")
    assert main(["recipes", "from-mmseg", str(recipe.with_name(f"first_step_{size}.py")), "--out", str(path)]) == 0
    check_loss(path, f"segnext_{size}", OTHERS[size])


@pytest.mark.slow
def test_the_first_loss_of_the_run_is_mmseg_s(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "ade"
    for split in ("training", "validation"):
        for number, (image, mask) in enumerate(zip(*batch(), strict=True)):
            for folder, pixels in (("images", image.permute(1, 2, 0)), ("annotations", mask + 1)):  # 255 + 1 is 0
                path = root / folder / split / f"ADE_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.ascontiguousarray(pixels.numpy())).save(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    weights = write_checkpoint(tmp_path / "segnext_t.pth")
    words = ["fit", "--config", str(recipe), f"--data.root={root}", f"--model.weights={weights}"]
    words += ["--data.num_workers=0", "--trainer.accelerator=cpu", "--trainer.log_every_n_steps=1"]
    words += ["--model.inference={mode: whole}"]
    assert main(words) == 0
    rows = list(csv.DictReader(Path("runs/first_step/0001/metrics.csv").read_text().splitlines()))
    losses = [float(row["train/loss"]) for row in rows if row.get("train/loss")]
    assert losses[0] == pytest.approx(LOSS, abs=CLOSE)


@pytest.mark.slow
def test_the_number_is_what_mmseg_computes(tmp_path: Path) -> None:
    python = Path(os.environ.get("FOVEATE_PEERS", ROOT / ".venv-bench/bin/python"))
    if not python.is_file():
        pytest.skip("mmseg is not installed: make bench installs it, or name the Python that has it in FOVEATE_PEERS")
    write_configs(tmp_path)
    script = Path(__file__).parent / "peer_loss.py"
    given = {**os.environ, "PYTHONPATH": str(ROOT / ".typing"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [python, script, tmp_path / "first_step.py"], capture_output=True, text=True, check=True, env=given
    )
    assert float(done.stdout.split()[-1]) == pytest.approx(LOSS, abs=CLOSE)
