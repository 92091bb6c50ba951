"""Training on every device: each family of networks, each precision, going on, and what a step holds in memory."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from foveate.cli import main

pytestmark = pytest.mark.slow
SEGMENTERS = ["segnext_t", "mobilenet_v2_100+light_ham", "timm:resnet18+smp:Unet"]
CLASSIFIERS = ["mobilenet_v2_100", "mscan_t", "van_b0", "vit_ti"]
BOUND = 1e-3  # relative, of weights: on CUDA sums of a backward pass are added in another order each time
# AdamW takes a whole step along a gradient that is only such noise, as that of a bias before a batch norm; SGD does not
LINEAR = ["--model.optimizer", "{name: sgd, lr: 0.01}"]
QUIET = ["--trainer.enable_progress_bar=false", "--data.num_workers=0", "--trainer.log_every_n_steps=1"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")


def words_for(network: str, device: str, precision: str, steps: int, root: Path) -> list[str]:
    """The words of `foveate fit` for a few steps of a network."""
    kind = ["--config", "digits_mobilenet_v2", "--data.image_size=32", "--data.batch_size=8"]
    if "+" in network or network.startswith("segnext"):
        kind = ["--config", "synthetic_segnext_t", "--data.root", str(root), "--data.batch_size=2"]
        kind += ["--data.crop=[64,64]", "--model.attention", "{}"]
    if network == "segnext_t":
        kind[-1] = "{gate: msca}"
    trainer = [f"--trainer.accelerator={device}", f"--trainer.precision={precision}", "--trainer.devices=1"]
    options = "{patch_size: 4, image_size: 32}" if network == "vit_ti" else "{}"
    network_words = ["--model.network", network, "--model.network_options", options]
    return ["fit", *kind, *network_words, *trainer, *length(steps), *QUIET]


def length(steps: int) -> list[str]:
    """The words for a number of steps, with a validation after the last."""
    every = ["--trainer.max_epochs=-1", "--trainer.check_val_every_n_epoch=null"]
    return [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps}", *every]


def losses(run: str = "runs/latest") -> list[float]:
    with open(Path(run) / "metrics.csv", newline="") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row.get("train/loss")]


def precisions(device: str) -> list[str]:
    """fp16 scales its losses, which is for GPUs."""
    return ["bf16-mixed"] if device == "cpu" else ["32-true", "bf16-mixed", "16-mixed"]


@pytest.mark.parametrize("network", [*SEGMENTERS, *CLASSIFIERS])
def test_every_family_takes_steps_and_is_scored(network: str, device: str, cityscapes_root: Path) -> None:
    for precision in precisions(device):
        assert main(words_for(network, device, precision, 2, cityscapes_root)) == 0, precision
        found = losses()
        assert len(found) == 2, precision
        assert all(map(math.isfinite, found)), precision


def weights(path: str) -> dict[str, torch.Tensor]:
    loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return {name: value for name, value in loaded["state_dict"].items() if value.is_floating_point()}


def test_a_training_that_goes_on_ends_where_one_without_a_stop_does(device: str, cityscapes_root: Path) -> None:
    words = [*words_for("segnext_t", device, "32-true", 4, cityscapes_root), "--model.schedule", "{name: constant}"]
    words += [] if device == "cpu" else LINEAR
    assert main(words) == 0
    whole = weights("runs/latest/checkpoints/last.ckpt")
    assert main([*words, *length(2)]) == 0
    assert main(["fit", "--ckpt_path", "last", *length(4)]) == 0
    resumed = weights("runs/latest/checkpoints/last.ckpt")
    if device == "cpu":
        assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=BOUND, atol=BOUND, msg=name)


def run_alone(words: list[str]) -> list[float]:
    """Losses of a training in a process of its own: torch cannot compile what checks the shapes of tests."""
    subprocess.run([sys.executable, "-m", "foveate.cli", *words], check=True)
    return losses()


def test_a_compiled_network_takes_the_same_steps(device: str, cityscapes_root: Path) -> None:
    words = words_for("timm:test_vit", device, "32-true", 3, cityscapes_root)
    plain = run_alone(words)
    assert run_alone([*words, "--model.compile=true"]) == pytest.approx(plain, rel=BOUND)
    names = weights("runs/latest/checkpoints/last.ckpt")
    assert names
    assert not [name for name in names if "_orig_mod" in name]  # they load without torch.compile


def test_one_process_of_many_takes_the_same_steps_as_one_alone(device: str, cityscapes_root: Path) -> None:
    """DistributedDataParallel over a single device: NCCL on CUDA, Gloo on a CPU."""
    words = words_for("segnext_t", device, "32-true", 3, cityscapes_root)
    plain = run_alone(words)
    assert run_alone([*words, "--trainer.strategy=ddp"]) == pytest.approx(plain, rel=BOUND)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device, or none is shown: see make gpu")
def test_steps_hold_no_more_memory_than_the_first_ones() -> None:
    from foveate.datasets.labels import CITYSCAPES
    from foveate.pipeline.segmentation import SegmentationTask

    task = SegmentationTask(network="segnext_t", labels=CITYSCAPES).to("cuda").train()
    image = torch.randint(256, (2, 3, 128, 128), dtype=torch.uint8, device="cuda")
    mask = torch.randint(19, (2, 128, 128), dtype=torch.uint8, device="cuda")
    optimizer = torch.optim.AdamW(task.parameters(), 1e-3)
    held = []
    for _ in range(6):
        optimizer.zero_grad()
        task.compute_loss({"image": image, "mask": mask, "path": ["made"] * 2}).backward()
        optimizer.step()
        held.append(torch.cuda.memory_allocated())
    assert held[-1] == held[2]


@pytest.mark.multigpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices on this machine")
def test_every_device_trains_the_same_network(cityscapes_root: Path) -> None:
    words = words_for("segnext_t", "cuda", "bf16-mixed", 2, cityscapes_root)
    words[words.index("--trainer.devices=1")] = f"--trainer.devices={torch.cuda.device_count()}"
    assert all(map(math.isfinite, run_alone(words)))
