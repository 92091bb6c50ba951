"""The course of a training as a picture: loss and score by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def draw_curves(rows: Sequence[Mapping[str, str]], path: Path, *, monitor: str, figure: str) -> bool:
    """Draw `train/loss` and a score of a log into a PNG file.

    Args:
        rows: The log.
        path: The file.
        monitor: The score's column, in [0, 1], such as `val/miou`.
        figure: What it is called, such as mIoU.

    Returns:
        Whether it was drawn: not without matplotlib (`pip install 'foveate[plots]'`), nor from an empty log.
    """
    losses, scores = _series(rows, "train/loss"), _series(rows, monitor)
    if not losses and not scores:
        return False
    try:
        import matplotlib  # late, and an extra
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    canvas, left = pyplot.subplots(figsize=(7, 4), layout="constrained")
    _plot(left, losses, "tab:blue", "training loss", "")
    right = left.twinx()
    _plot(right, scores, "tab:orange", f"val {figure}", "o")
    right.set_ylim(0, 1)
    left.set_xlabel("step")
    canvas.savefig(path, dpi=120)
    pyplot.close(canvas)
    return True


def _series(rows: Sequence[Mapping[str, str]], name: str) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]


def _plot(axes: Any, points: list[tuple[int, float]], colour: str, label: str, marker: str) -> None:
    axes.plot(*zip(*points, strict=True), marker=marker, color=colour) if points else None
    axes.set_ylabel(label, color=colour)
    axes.tick_params(axis="y", labelcolor=colour)
