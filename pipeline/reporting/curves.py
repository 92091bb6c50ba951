"""Training curves: loss and score by step, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SMOOTHING = 12  # a smoothed loss is the mean of about a twelfth of the rows
Points = list[tuple[int, float]]


def draw_curves(
    rows: Sequence[Mapping[str, str]], path: Path, *, monitor: str, figure: str, name: str = "training"
) -> bool:
    """Draw the training loss, and below it a score in percent, into a PNG file.

    Args:
        rows: The rows of the log.
        path: The PNG file.
        monitor: The score's column, in [0, 1], such as `val/miou`.
        figure: The name of the score, such as mIoU.
        name: The name of the run.

    Returns:
        Whether a picture was drawn; False without matplotlib (`pip install 'foveate[plots]'`) or with an empty log.
    """
    losses, val_losses = _series(rows, "train/loss"), _series(rows, "val/loss")
    scores = [(step, 100 * value) for step, value in _series(rows, monitor)]
    if not losses and not scores:
        return False
    try:
        import matplotlib  # optional and slow to import
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = 1 + bool(scores)
    canvas, found = pyplot.subplots(
        panels, 1, figsize=(8, 3.2 * panels), sharex=True, squeeze=False, layout="constrained"
    )
    axes = [row[0] for row in found]
    _draw_losses(axes[0], losses, val_losses)
    if scores:
        _draw_scores(axes[-1], scores, figure)
    axes[-1].set_xlabel("step (optimiser steps done)")
    canvas.suptitle(name)
    canvas.savefig(path, dpi=120)
    pyplot.close(canvas)
    return True


def smooth(points: Points) -> Points:
    """The centred moving average; its window is shorter at both ends.

    Example:
        >>> smooth([(1, 1.0), (2, 4.0), (3, 1.0)])
        [(1, 2.5), (2, 2.0), (3, 2.5)]
    """
    reach = max(1, len(points) // (2 * SMOOTHING))
    smoothed = []
    for place, (step, _) in enumerate(points):
        near = [value for _, value in points[max(0, place - reach) : place + reach + 1]]
        smoothed.append((step, sum(near) / len(near)))
    return smoothed


def _draw_losses(axes: Any, losses: Points, val_losses: Points) -> None:
    axes.set_title("loss", loc="left")
    axes.set_ylabel("loss")
    if losses:
        axes.plot(
            *zip(*losses, strict=True), color="tab:blue", alpha=0.3, linewidth=1, label="training, single batches"
        )
        axes.plot(*zip(*smooth(losses), strict=True), color="tab:blue", label="training, smoothed")
    if val_losses:
        axes.plot(*zip(*val_losses, strict=True), color="tab:orange", marker="o", markersize=4, label="val")
    if losses or val_losses:
        axes.legend(frameon=False)
    axes.grid(alpha=0.3)


def _draw_scores(axes: Any, scores: Points, figure: str) -> None:
    step, best = max(scores, key=lambda point: point[1])
    axes.set_title(f"val {figure}, best {best:.1f} % at step {step}", loc="left")
    axes.set_ylabel(f"val {figure} in %")
    axes.plot(*zip(*scores, strict=True), color="tab:orange", marker="o", markersize=4)
    axes.plot([step], [best], color="tab:red", marker="*", markersize=12, linestyle="none")
    values = [value for _, value in scores]
    margin = max(1.0, 0.1 * (max(values) - min(values)))
    axes.set_ylim(max(0.0, min(values) - margin), min(100.0, max(values) + margin))
    axes.grid(alpha=0.3)


def _series(rows: Sequence[Mapping[str, str]], name: str) -> Points:
    """The finite values of a column, with their steps; what cannot be read is left out."""
    points = []
    for row in rows:
        try:
            point = int(row["step"]), float(row[name])
        except (KeyError, TypeError, ValueError):
            continue
        if point[1] - point[1] == 0:  # finite
            points.append(point)
    return points
