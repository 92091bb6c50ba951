"""The race: real CamVid from scratch, so many minutes of training a run, val mIoU by minute.

    python -m foveate.benchmarks.race all --root ~/camvid                 every run that is not done, side by side
    python -m foveate.benchmarks.race one ours --seed 0 --root ~/camvid   one run, here
    python -m foveate.benchmarks.run report                               the plot and the table

Everyone gets the same batches in the same order, from our data module (peers' own loaders are slower), the same AdamW
and the same schedule: a short rise, then a fall to 0 along the share of the minutes that is gone. So each ends its
training properly in the time there is, whatever its speed; a fixed number of steps would be too many for the slow or
too few for the fast. The clock counts the processor's time for reading, the step and the schedule, each thread's share
of it, so that a machine that does other things too is no one's loss; it stands still during validation. A run
that passes a peer's last score half way does so at a rate that is still high: that is to its disadvantage.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import torch

from foveate.benchmarks.contestants import CROP, Contestant, create, names
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.labelled_pairs import SegmentationDataset, collate
from foveate.pipeline.metrics.confusion import count_confusion, score
from foveate.pipeline.startup import keep_freed_memory

BATCH, WARMUP = 4, 0.05  # of the time
SEEDS = (0, 1)


def run(name: str, options: argparse.Namespace) -> None:
    """One run; its scores are written as they come."""
    torch.set_num_threads(options.threads)
    if name == "ours":
        keep_freed_memory()  # as our command does for itself
    contestant = create(name, options.seed)
    data = CamVidDataModule(options.root, crop=CROP, batch_size=BATCH, num_workers=0, seed=options.seed)
    data.setup("fit")
    record: dict[str, Any] = {"name": name, "seed": options.seed, "minutes": options.minutes, "done": False}
    record |= {"threads": options.threads, "points": []}
    budget, taken, steps = 60 * options.minutes, 0.0, 0
    batches = batches_of(data._datasets["train"], options.seed)
    for stop in stops(budget, 60 * options.every):
        contestant.network.train()
        while taken < stop:
            started = time.process_time()
            contestant.set_rate(rate(taken / budget))
            contestant.step(next(batches))
            taken += (time.process_time() - started) / options.threads
            steps += 1
        miou = evaluate(contestant, data._datasets["val"], options.images)
        record["points"].append({"minute": taken / 60, "step": steps, "miou": miou})
        record["done"] = stop >= budget
        save(record, options.out)
        print(f"{name} {options.seed}: {taken / 60:.1f} min, step {steps}, mIoU {miou:.3f}", flush=True)


def stops(budget: float, every: float) -> list[float]:
    """Seconds of training after which there is a validation; the last is at the end.

    Example:
        >>> stops(720, 240), stops(500, 240)
        ([240, 480, 720], [240, 480, 500])
    """
    return [*(every * k for k in range(1, math.ceil(budget / every))), budget]


def rate(share: float) -> float:
    """Factor on the learning rate when this share of the time is gone.

    Example:
        >>> rate(0.0) < 1e-3, rate(0.05), round(rate(0.525), 3), rate(1.2)
        (True, 1.0, 0.5, 0.0)
    """
    if share < WARMUP:
        return 1e-6 + share / WARMUP
    return max(0.0, 1 - (share - WARMUP) / (1 - WARMUP))


def batches_of(dataset: SegmentationDataset, seed: int) -> Iterator[SegmentationBatch]:
    """Without end: each epoch in another order, each sample augmented by its place in the sequence."""
    for epoch in count():
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1000 * seed + epoch)).tolist()
        for first in range(0, len(order) - BATCH + 1, BATCH):
            turn = epoch * len(order) + first
            picks = [Pick(order[first + k], seed=1_000_003 * seed + turn + k) for k in range(BATCH)]
            yield collate([dataset[pick] for pick in picks])


def evaluate(contestant: Contestant, dataset: SegmentationDataset, images: int | None = None) -> float:
    """mIoU over whole images at their own size, all of them or the first few."""
    contestant.network.eval()
    classes = len(CamVidDataModule.label_set)
    counts = torch.zeros(classes, classes, dtype=torch.long)
    for index in range(images or len(dataset)):
        batch = collate([dataset[Pick(index)]])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=contestant.bf16):
            predicted = contestant.infer(batch["image"]).argmax(1)
        counts += count_confusion(predicted, batch["mask"], classes)
    return score(counts).miou


def file_of(name: str, seed: int, minutes: float, out: Path) -> Path:
    """Where a run is kept."""
    return out / "race" / f"{name}-{seed}-{minutes:g}min.json"


def save(record: dict[str, Any], out: Path) -> None:
    """Write it, whole or not at all."""
    path = file_of(record["name"], record["seed"], record["minutes"], out)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1))
    temporary.replace(path)


def is_done(name: str, seed: int, options: argparse.Namespace) -> bool:
    """Whether a run came to its end before."""
    path = file_of(name, seed, options.minutes, options.out)
    return path.is_file() and bool(json.loads(path.read_text())["done"])


def run_all(options: argparse.Namespace) -> None:
    """Every run that is not done; each core that is given takes the next one and stays with it."""
    todo = [(name, seed) for seed in options.seeds for name in options.names if not is_done(name, seed, options)]
    cores: Queue[int] = Queue()
    for core in options.cores:
        cores.put(core)
    with ThreadPoolExecutor(len(options.cores)) as pool:
        codes = list(pool.map(lambda job: start(*job, options, cores), todo))
    if any(codes):
        sys.exit(f"{sum(map(bool, codes))} of {len(codes)} runs failed")


def start(name: str, seed: int, options: argparse.Namespace, cores: Queue[int]) -> int:
    """One run in a process of its own, on one core; its exit code."""
    core = cores.get()
    words = ["one", name, "--seed", str(seed), "--root", options.root, "--minutes", str(options.minutes)]
    words += ["--every", str(options.every), "--threads", str(options.threads), "--out", str(options.out)]
    command = ["taskset", "-c", str(core), sys.executable, "-W", "ignore", "-m", "foveate.benchmarks.race", *words]
    try:
        return subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": str(options.threads)}).returncode
    finally:
        cores.put(core)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["all", "one"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(names())}; all if none is named")
    parser.add_argument("--root", required=True, help="folder of CamVid")
    parser.add_argument("--minutes", type=float, default=12, help="of training (12)")
    parser.add_argument("--every", type=float, default=2, help="minutes between validations (2)")
    parser.add_argument("--images", type=int, help="validation images, to try it out; all if not given")
    parser.add_argument("--seed", type=int, default=0, help="of `one` (0)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="of `all` (0 1)")
    parser.add_argument("--threads", type=int, default=1, help="of torch, in each run (1)")
    parser.add_argument("--cores", type=int, nargs="+", default=[0, 1], help="one run each at a time (0 1)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="where figures are kept (runs/bench)")
    options = parser.parse_args()
    options.names = options.names or list(names())
    for name in options.names:
        if name not in names():
            parser.error(f"no contestant named {name!r} (contestants: {', '.join(names())})")
    if options.task == "all":
        run_all(options)
    else:
        run(options.names[0], options)


if __name__ == "__main__":
    main()
