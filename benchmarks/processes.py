"""Scaling over processes: two of one thread each, joined by DDP over gloo, against one of two threads, and of one."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from foveate.benchmarks.networks import create_task, random_batch
from foveate.benchmarks.pairing import ratio
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.batch import SegmentationBatch
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.segmentation import SegmentationTask

SIZE, IMAGES, CLASSES = (256, 256), 4, 19  # images in all, whatever the processes
STEPS, WARMUP = 6, 2
LAYOUTS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}


def run(settings: Settings) -> Result:
    """Each layout in fresh processes, in turn."""
    figures: dict[str, list[float]] = {name: [] for name in LAYOUTS}
    for _ in range(settings.times(3)):
        for name, (world, threads) in LAYOUTS.items():
            figures[name].append(seconds_a_step(world, threads))
    one, two, joined = LAYOUTS
    goals = [
        Goal("two processes instead of one", one, joined),
        Goal("two threads instead of one", one, two),
        Goal("two processes instead of two threads", two, joined),
    ]
    share = ratio(figures[one], figures[joined]).median / 2
    what = (
        f"Training step of our SegNeXt-T in bf16 over {IMAGES} images of 256x256 in all, split among the processes; "
        f"the median of {STEPS} steps of fresh processes. Two processes make use of {100 * share:.0f} % of twice one."
    )
    return Result("processes", "Scaling: processes", what, figures, goals)


def seconds_a_step(world: int, threads: int) -> float:
    """Of processes that are started for it; the first one's clock."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-W", "ignore", "-m", "foveate.benchmarks.processes"]
        words += ["--world", str(world), "--threads", str(threads), "--meeting", f"{folder}/meeting"]
        started = [
            subprocess.Popen([*words, "--rank", str(rank)], stdout=subprocess.PIPE, text=True) for rank in range(world)
        ]
        printed = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError(f"{world} processes of {threads} threads failed")
    return float(printed[0].split()[-1])


class LossOf(nn.Module):
    """A task's loss as a module, so that DDP sees the pass through the network."""

    def __init__(self, task: SegmentationTask) -> None:
        super().__init__()
        self.network = task.network
        self.compute = [task.compute_loss]  # in a list: the task's own parts are not to be found twice

    def forward(self, batch: SegmentationBatch) -> Tensor:
        loss: Tensor = self.compute[0](batch)
        return loss


def work(rank: int, world: int, meeting: str) -> float:
    """Median seconds of a step, in one of the processes."""
    dist.init_process_group("gloo", init_method=f"file://{Path(meeting)}", rank=rank, world_size=world)
    task = create_task()
    batch = random_batch(IMAGES // world, SIZE, CLASSES)
    loss_of: nn.Module = LossOf(task)
    if world > 1:
        loss_of = DistributedDataParallel(loss_of)
    optimizer = create_optimizer(task.network, task.optimizer_config)
    seconds = []
    for _ in range(WARMUP + STEPS):
        started = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(batch)
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    dist.destroy_process_group()
    return torch.tensor(seconds[WARMUP:]).median().item()


def main() -> None:
    """One of the processes; prints seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("rank", "world", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--meeting", required=True, help="file where the processes meet")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(work(options.rank, options.world, options.meeting))


if __name__ == "__main__":
    main()
