"""Table row: a training step of SegNeXt-T, from bytes on the device to updated weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import nn

from foveate.benchmarks.elsewhere import Elsewhere, take_turns
from foveate.benchmarks.networks import check_same, create_peer, create_task, random_batch
from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.batch import SegmentationBatch
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.startup import keep_freed_memory

SIZE, CLASSES = (512, 512), 19
BATCHES = {"cpu": 2, "cuda": 16}  # with two images a GPU waits for the CPU that starts its kernels
CONTESTANTS = ("mmseg as shipped", "mmseg as shipped, bf16", "mmseg at its best", "ours")
Step = Callable[[], object]


def run(settings: Settings) -> Result:
    """mmseg as it ships in float32 and in bf16, at its best, and ours, from the same weights."""
    task = create_task(device=settings.device)
    batch_size = BATCHES[settings.device]
    batch = random_batch(batch_size, SIZE, CLASSES, device=settings.device)
    off = check_same(task, create_peer(task, SIZE), batch)
    del task
    words = ["--threads", str(settings.threads), "--device", settings.device]
    candidates = {name: Elsewhere("foveate.benchmarks.training_step", name, *words) for name in CONTESTANTS}
    seconds = alternate(candidates, rounds=settings.times(9))
    for candidate in candidates.values():
        candidate.close()
    row = f"training step, SegNeXt-T, 512x512, batch {batch_size}"
    goals = [
        Goal(row, "mmseg as shipped", "ours", 4.5),
        Goal(row, "mmseg as shipped, bf16", "ours"),
        Goal(row, "mmseg at its best", "ours", 3.0),
    ]
    what = (
        "Normalise, forward, loss, backward and AdamW, 19 classes. As shipped: float32, mmengine's train_step and the "
        "optimiser of the configuration. At its best: channels_last, bf16 autocast, fused AdamW. Ours: the recipe's "
        f"default, under bf16 autocast. Same weights; logits in float32 differ by {off:.1g} of the largest. Each has a "
        "process of its own, with the C library's memory set up as its command does."
    )
    return Result("training_step", "Training step", what, seconds, goals)


def peer_step(model: nn.Module, batch: SegmentationBatch, *, bf16: bool, best: bool) -> Step:
    """A step of mmseg's own loop: its preprocessor, its loss, its optimiser's wrapper.

    Args:
        model: SegNeXt of `mmseg.create_segnext`.
        batch: As ours takes it.
        bf16: Under autocast.
        best: Whether in channels_last and with a fused AdamW.
    """
    if best:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = mmseg.create_optimizer(model, bf16=bf16, **({"fused": True} if best else {}))
    data = mmseg.create_batch(batch["image"], batch["mask"])
    return lambda: model.train_step(data, optimizer)  # type: ignore[operator]


def our_step(task: SegmentationTask, batch: SegmentationBatch, *, bf16: bool = True) -> Step:
    """A step as the trainer does it, without the trainer."""
    optimizer = create_optimizer(task.network, task.optimizer_config)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(batch["image"].device.type, torch.bfloat16, enabled=bf16):
            loss = task.compute_loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def steps_of(name: str, device: str) -> tuple[Step, Step]:
    """A contestant's step, and a small one without an optimiser, with which its libraries set themselves up."""
    if name == "ours":
        keep_freed_memory()  # as our command does for itself
    task = create_task(device=device)
    batch = random_batch(BATCHES[device], SIZE, CLASSES, device=device)
    small = random_batch(BATCHES[device], (64, 64), CLASSES, device=device)
    if name == "ours":
        return our_step(task, batch), lambda: task.compute_loss(small)
    peer, best = create_peer(task, SIZE), name == "mmseg at its best"
    step = peer_step(peer, batch, bf16=best or name.endswith("bf16"), best=best)
    return step, lambda: mmseg.infer(peer, small["image"].float())


def main() -> None:
    """One contestant, a step at each word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step, _ = steps_of(options.name, options.device)
    wait = waiter(options.device) or (lambda: None)
    take_turns(lambda: (step(), wait()))


if __name__ == "__main__":
    main()
