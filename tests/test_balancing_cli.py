"""Optimisers and schedules by name, mined pixels and computed class weights, from the command line to a resumed run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.statistics import ClassStatistics
from foveate.pipeline.runs.recipes import read_recipe

SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=1",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
]
TRIAL = "--trainer.fast_dev_run=true"
AUTO = "--model.loss={name: ohem, class_weights: auto}"
LAST = Path("runs/latest/checkpoints/last.ckpt")
OLD_RICH = int(version("rich").partition(".")[0]) < 14  # ends a progress bar with an empty line


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "synthetic_segnext_t", "--data.root", str(root), *SMALL, *words])


def train_masks(root: Path) -> Iterator[np.ndarray]:
    """Train ids, file by file."""
    for path in sorted(root.glob("gtFine/train/*/*_labelIds.png")):
        yield CITYSCAPES.to_train_ids()[np.asarray(Image.open(path))]


def count(root: Path) -> ClassStatistics:
    masks = list(train_masks(root))
    each = np.array([np.bincount(mask[mask != 255], minlength=19) for mask in masks], dtype=np.int64)
    inside = (each > 0).astype(np.int64)
    return ClassStatistics(
        pixels=each.sum(0),
        images=inside.sum(0),
        image_pixels=(each.sum(1, keepdims=True) * inside).sum(0),
        num_images=len(masks),
    )


def counted(root: Path) -> int:
    """How often the classes were counted: each time leaves a file, unless there is one already."""
    return len(list((root / ".foveate").glob("classes-train-*.npz")))


def by_hand(root: Path) -> list[float]:
    """Median frequency balancing, class by class."""
    found = count(root)
    frequency = {c: found.pixels[c] / found.image_pixels[c] for c in range(19) if found.pixels[c]}
    middle = float(np.median(list(frequency.values())))
    return [middle / frequency[c] if c in frequency else 1.0 for c in range(19)]


def settings() -> dict[str, Any]:
    """What a run's last checkpoint says of the task."""
    stored: dict[str, Any] = torch.load(LAST, weights_only=True)["hyper_parameters"]
    return stored


def test_computed_weights_are_those_by_hand_and_kept_by_recipe_and_checkpoint(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, AUTO) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("class weights")]
    assert len(told) == counted(cityscapes_root) == 1
    assert told[0].startswith("class weights (median_frequency of 6 train images): road ")
    kept = read_recipe(Path("runs/latest/recipe.yaml"))["model"]["init_args"]["loss"]
    assert kept["class_weights"] == pytest.approx(by_hand(cityscapes_root), rel=1e-5)
    assert kept == settings()["loss"]


@pytest.mark.slow
def test_a_run_goes_on_and_is_evaluated_with_the_numbers_it_was_trained_with(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, AUTO, "--model.optimizer.name", "timm:lion") == 0
    before = settings()["loss"]
    shutil.rmtree(cityscapes_root / ".foveate")
    again = ["--config", "synthetic_segnext_t", "--data.root", str(cityscapes_root), *SMALL, AUTO]
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "3"]) == 0
    assert main(["fit", *again, "--model.optimizer.name=timm:lion", "--trainer.max_steps=4", "--ckpt_path=last"]) == 0
    assert settings()["loss"] == before
    assert torch.load(LAST, weights_only=True)["global_step"] == 4
    capsys.readouterr()
    assert main(["validate", *again, "--ckpt_path", "best"]) == 0
    assert "class weights (of the checkpoint): road " in capsys.readouterr().err
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert counted(cityscapes_root) == 0


def test_a_trial_computes_them_too(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, TRIAL, "--model.loss=[{name: dice, class_weights: enet}, cross_entropy]") == 0
    assert counted(cityscapes_root) == 1


def test_data_that_are_not_counted_are_an_error_before_the_run(
    cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CityscapesDataModule, "class_statistics", lambda self: None, raising=False)
    assert fit(cityscapes_root, AUTO) == 2
    assert "CityscapesDataModule does not count; give a list of 19 numbers" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_rare_classes_and_pasted_objects_train_and_go_on(cityscapes_root: Path) -> None:
    words = ["--data.sampling", "rare_classes", "--data.copy_paste={classes: [person, car], probability: 1, count: 2}"]
    assert fit(cityscapes_root, *words) == 0
    kept = read_recipe(Path("runs/latest/recipe.yaml"))["data"]["init_args"]
    assert (kept["sampling"], kept["rare_share"], kept["copy_paste"]["count"]) == ("rare_classes", 0.5, 2)
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "4"]) == 0
    assert torch.load(LAST, weights_only=True)["global_step"] == 4
    assert counted(cityscapes_root) == 1


OPTIMISERS = {
    "timm:lion": ["--model.optimizer.options={betas: [0.8, 0.95]}"],
    "torch:RMSprop": ["--model.optimizer.options.alpha=0.95", "--model.optimizer.options.eps", "1e-6"],
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_run_with_a_librarys_optimiser_goes_on_with_the_recipes_rates(name: str, cityscapes_root: Path) -> None:
    schedule = "--model.schedule={name: 'torch:StepLR', options: {step_size: 1, gamma: 0.5}, warmup_steps: 0}"
    assert fit(cityscapes_root, "--model.optimizer.name", name, *OPTIMISERS[name], schedule) == 0
    assert settings()["optimizer"]["name"] == name
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "3", "--model.optimizer.lr", "0.01"]) == 0
    state = torch.load(LAST, weights_only=True)["optimizer_states"][0]
    assert {round(group["lr"], 9) for group in state["param_groups"]} == {0.01 * 0.5**3}
    assert main(["validate", "--ckpt_path", "best"]) == 0


def test_another_optimiser_does_not_go_on(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, "--model.optimizer.name", "timm:lion") == 0
    words = ["--trainer.max_steps", "3", "--model.optimizer", "{name: torch:Adam}"]
    assert main(["fit", "--ckpt_path", "last", *words]) == 4
    assert "trained with timm:lion in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--model.optimizer.name=timm:adamp", "--trainer.gradient_clip_val=0.1", "--trainer.precision=bf16-mixed"],
        ["--model.optimizer.name=torch:NAdam", "--model.freeze={parts: encoder, until_step: 1}"],
        ["--model.optimizer.name=torch:Adam", "--model.optimizer.options.fused=true"],
        ["--model.schedule={name: 'timm:cosine', options: {lr_min: 0.1}, warmup_steps: 1}"],
        ["--model.loss={name: ohem, fraction: 0.25}"],
        ["--model.loss.name=ohem", "--model.loss.threshold=0.5", "--model.loss.min_kept=100"],
    ],
    ids=lambda words: words[0],
)
def test_they_are_chosen_from_the_command_line(words: list[str], cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, TRIAL, *words) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.optimizer.name", "timm:lino"], "no optimizer 'timm:lino'; did you mean 'timm:lion'?"),
        (["--model.optimizer.name", "adamW"], "did you mean 'adamw'?"),
        (["--model.optimizer.name=torch:LBFGS"], "the loss several times"),
        (["--model.optimizer", "{name: 'timm:lion', options: {beta: 1}}"], "no option 'beta'; did you mean 'betas'?"),
        (["--model.schedule.name", "torch:StepLR"], "needs schedule.options.step_size"),
        (["--model.loss", "{name: ohem, fraction: 2}"], "fraction is above 0 and at most 1, not 2"),
        (["--model.loss", "{name: ohem, class_weights: automatic}"], "no method 'automatic'; did you mean 'auto'?"),
        (["--model.loss", "{name: lovasz, weight: 1, class_weights: eneta}"], "did you mean 'enet'?"),
        (
            [
                *("--model.optimizer.options.fused=true", "--trainer.gradient_clip_val=0.1"),
                "--trainer.precision=bf16-mixed",
            ],
            "optimizer adamw: fused, it cannot go with trainer.gradient_clip_val",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1][:24],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root, TRIAL, *words) == 2
    *notes, error = capsys.readouterr().err.splitlines()
    assert message in error
    texts = [line for line in notes if line or not OLD_RICH]
    assert all(line.startswith(("synthetic_segnext_t: ", "class weights ")) for line in texts)
