"""How the cost of a training step of SegNeXt-T grows with image area, batch and number of classes."""

from __future__ import annotations

import statistics
from pathlib import Path

import torch

from foveate.benchmarks.networks import create_peer, create_task, random_batch
from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.benchmarks.training_step import our_step, peer_step
from foveate.datasets.labels import LabelSet

# (side, batch, classes); one of them varies at a time
AREAS = tuple((side, 2, 19) for side in (128, 256, 384, 512))
BATCHES = tuple((256, batch, 19) for batch in (1, 2, 4, 8))
CLASSES = tuple((256, 2, classes) for classes in (2, 19, 64, 150))
PLOT = "scaling.svg"


def run(settings: Settings) -> Result:
    """mmseg at its best and ours, in turn at each point."""
    torch.set_num_threads(settings.threads)
    figures: dict[str, list[float]] = {}
    goals: list[Goal] = []
    for point in dict.fromkeys((*AREAS, *BATCHES, *CLASSES)):
        timed = measure(*point, settings)
        figures |= timed
        peer, ours = timed
        goals.append(Goal(label(*point), peer, ours))
    draw(figures, Path(__file__).with_name(PLOT))
    what = "Training step of SegNeXt-T as in the first table, mmseg at its best and ours in turn, side x side x batch."
    return Result("scaling", "Scaling: area, batch, classes", what, figures, goals, plots=[PLOT])


def label(side: int, batch: int, classes: int) -> str:
    """A point in words."""
    return f"{side}x{side}, batch {batch}, {classes} classes"


def measure(side: int, batch: int, classes: int, settings: Settings) -> dict[str, list[float]]:
    """Seconds of both at one point."""
    task = create_task(numbered(classes), device=settings.device)
    peer = create_peer(task, (side, side))
    data = random_batch(batch, (side, side), classes, device=settings.device)
    candidates = {
        f"mmseg at its best, {label(side, batch, classes)}": peer_step(peer, data, bf16=True, best=True),
        f"ours, {label(side, batch, classes)}": our_step(task, data),
    }
    return alternate(candidates, rounds=settings.times(4), warmup=1, after=waiter(settings.device))


def numbered(classes: int) -> LabelSet:
    """So many classes."""
    names = tuple(f"class {index}" for index in range(classes))
    return LabelSet(name="made", names=names, colours=((0, 0, 0),) * classes, ids=tuple(range(classes)))


def draw(figures: dict[str, list[float]], path: Path) -> None:
    """Three panels, both contestants in each."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "scaling"
    import matplotlib.pyplot as plt

    panels = {
        "megapixels, batch 2": (AREAS, 0),
        "batch, 256x256": (BATCHES, 1),
        "classes, 256x256, batch 2": (CLASSES, 2),
    }
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    for axis, (title, (points, index)) in zip(axes, panels.items(), strict=True):
        x = [point[index] ** 2 / 1e6 if index == 0 else point[index] for point in points]
        for name in ("mmseg at its best", "ours"):
            axis.plot(x, [statistics.median(figures[f"{name}, {label(*p)}"]) for p in points], ".-", label=name)
        axis.set(xlabel=title, ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds a step")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
