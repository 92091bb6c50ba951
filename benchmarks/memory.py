"""Table row: what a training step of SegNeXt-T takes of memory, each measured in a fresh process, in turn."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch

from foveate.benchmarks.results import Goal, Result, Settings
from foveate.benchmarks.training_step import BATCHES, steps_of

ROW = "peak memory of the training step"
CONTESTANTS = ("mmseg as shipped", "mmseg at its best", "ours")
STEPS = 2  # the optimiser's state comes with the first
MIB = 2**20


def run(settings: Settings) -> Result:
    """Each contestant a few times, in turn."""
    figures: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(settings.times(3)):
        for name in CONTESTANTS:
            figures[name].append(in_fresh_process(name, settings))
    goals = [
        Goal(ROW, "mmseg as shipped", "ours", 0.6, share=True),
        Goal(ROW, "mmseg at its best", "ours", share=True),
    ]
    what = (
        f"The step of the table above, 512x512, batch {BATCHES[settings.device]}, 19 classes. On a CPU the highest "
        f"resident memory of a fresh process over {STEPS} steps, less what it held before the first, with weights and "
        "batch in place and a small step done; on a GPU what torch allocated at most, less what was allocated before."
    )
    return Result("memory", "Peak memory of the training step", what, figures, goals, unit="MiB")


def in_fresh_process(name: str, settings: Settings) -> float:
    """MiB of a contestant."""
    words = [sys.executable, "-W", "ignore", "-m", "foveate.benchmarks.memory", name]
    words += ["--threads", str(settings.threads), "--device", settings.device]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure(name: str, device: str) -> float:
    """MiB that the steps take beyond what was there, in this very process."""
    step, small_step = steps_of(name, device)
    small_step()
    reset_peak(device)
    before = held(device)
    for _ in range(STEPS):
        step()
    return (peak(device) - before) / MIB


def held(device: str) -> int:
    """Bytes now."""
    if device == "cuda":
        return torch.cuda.memory_allocated()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak(device: str) -> int:
    """Most bytes since `reset_peak`."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def reset_peak(device: str) -> None:
    """Forget what importing and building took: 5 is Linux' word for the mark of the highest resident memory."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """One contestant; prints MiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(measure(options.name, options.device))


if __name__ == "__main__":
    main()
