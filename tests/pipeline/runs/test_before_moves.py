"""A recipe and a checkpoint written before the folders of the code moved go on working."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.pipeline.runs.recipes import read_recipe

KEPT = Path(__file__).resolve().parents[2] / "data" / "before_moves"


def as_stored(value: Any, generator: torch.Generator) -> Any:
    """Tensors of the kept shapes and types around what JSON holds; variances are positive."""
    if isinstance(value, list):
        return [as_stored(item, generator) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(as_stored(item, generator) for item in value["tuple"])
    if "dict" in value:
        return {key: as_stored(item, generator) for key, item in value["dict"]}
    if "tensor" not in value:
        return {key: as_stored(item, generator) for key, item in value.items()}
    dtype = getattr(torch, value["dtype"])
    if "value" in value:
        return torch.full(value["tensor"], value["value"], dtype=dtype)
    return (0.02 * torch.randn(value["tensor"], generator=generator)).abs().to(dtype)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run directory of before, in a folder with the images that it was trained on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    for split, count in (("train", 3), ("val", 2)):
        for number, name in enumerate(("bee", "cat", "dog")):
            for index in range(count):
                pixels = np.random.default_rng([number, index]).integers(0, 256, (40, 48, 3), dtype=np.uint8)
                (tmp_path / "animals" / split / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / "animals" / split / name / f"{index}.png")
    folder = tmp_path / "runs" / "old" / "0001"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "recipe.yaml").write_text((KEPT / "recipe.yaml").read_text())
    content = json.loads((KEPT / "checkpoint.json").read_text())
    stored = as_stored(content, torch.Generator().manual_seed(0))
    for name in ("last", "best"):
        torch.save(stored, folder / "checkpoints" / f"{name}.ckpt")
    (tmp_path / "runs" / "latest").symlink_to("old/0001")
    return folder


def test_a_recipe_of_before_names_classes_by_their_paths_of_today() -> None:
    callback = read_recipe(KEPT / "recipe.yaml")["trainer"]["callbacks"][0]
    assert callback["class_path"] == "foveate.pipeline.averaging.EmaWeights"


def test_a_checkpoint_of_before_is_scored_and_predicts(run: Path) -> None:
    assert main(["validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]) == 0
    words = ["--ckpt_path", "best", "--data.images", "animals/val", "--out", "out"]
    assert main(["predict", *words]) == 0
    assert len(Path("out/predictions.csv").read_text().splitlines()) == 7


def test_a_checkpoint_of_before_without_its_run_is_scored(run: Path) -> None:
    alone = Path("alone.ckpt")
    (run / "checkpoints" / "best.ckpt").rename(alone)
    assert main(["validate", "--ckpt_path", str(alone)]) == 0


def test_a_run_of_before_goes_on(run: Path) -> None:
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "4"]) == 0
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 4


def test_a_recipe_of_before_trains(run: Path) -> None:
    assert main(["fit", "--config", str(KEPT / "recipe.yaml"), "--trainer.max_steps", "2"]) == 0
