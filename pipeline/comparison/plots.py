"""Plots of a comparison, each as SVG or PNG embedded in HTML."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from foveate.pipeline.comparison.table import Row, score_row
from foveate.pipeline.measuring.receptive_field import effective_reach
from foveate.pipeline.reporting.labels import label_points

SMOOTH = 20  # steps over which the loss is averaged


def draw(rows: Sequence[Row], score: str) -> list[tuple[str, str]]:
    """Titles, and plots as `<img>` tags; an empty list without matplotlib."""
    try:
        import matplotlib  # late, and an extra
    except ImportError:
        return []
    matplotlib.use("Agg")
    done = [row for row in rows if row.cells]
    if not done:
        return []
    figures = {
        f"{score} of each block": _draw_scores(done, rows[0], score),
        f"{score} against the time of a training step": _draw_trade(done, rows[0], score),
        "Training loss": _draw_losses(done),
        "Effective receptive field of the encoder's last feature": _draw_reaches(done),
    }
    return [(title, _embed(figure, title)) for title, figure in figures.items()]


def _draw_scores(rows: Sequence[Row], first: Row, score: str) -> Any:
    figure, axes = _figure(7, 0.5 + 0.45 * len(rows))
    for place, row in enumerate(rows):
        result = score_row(row, first, score)
        assert result is not None
        axes.plot([100 * result.low, 100 * result.high], [place, place], color="tab:blue", linewidth=3, alpha=0.4)
        axes.plot(
            [100 * value for value in result.seeds], [place] * len(result.seeds), "o", color="tab:orange", alpha=0.8
        )
        axes.plot(100 * result.mean, place, "|", color="black", markersize=16)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{score} %: mean (line), seeds (dots), 95 % interval over the images (bar)")
    axes.grid(axis="x", alpha=0.3)
    return figure


def _draw_trade(rows: Sequence[Row], first: Row, score: str) -> Any:
    figure, axes = _figure(7, 4)
    points = {}
    for row in rows:
        result = score_row(row, first, score)
        if row.measures is not None and result is not None:
            points[row.label] = (row.measures.step.ratio, 100 * result.mean)
            axes.plot(*points[row.label], "o", color="tab:blue")
    axes.set_xlabel(f"time of a training step, relative to {first.label}")
    axes.set_ylabel(f"{score} %")
    axes.grid(alpha=0.3)
    label_points(axes, points, size=10, colour="black")
    return figure


def _draw_losses(rows: Sequence[Row]) -> Any:
    figure, axes = _figure(7, 4)
    for row in rows:
        lengths = [len(cell.losses) for cell in row.cells.values()]
        mean = np.mean([cell.losses[: min(lengths)] for cell in row.cells.values()], axis=0)
        window = min(SMOOTH, len(mean))
        smooth = np.convolve(mean, np.ones(window) / window, mode="valid")
        axes.plot(np.arange(window, len(mean) + 1), smooth, label=row.label)
    axes.set_xlabel(f"step (mean over the seeds and the last {SMOOTH} steps)")
    axes.set_ylabel("training loss")
    axes.set_yscale("log")
    axes.legend(ncols=2)
    axes.grid(alpha=0.3)
    return figure


def _draw_reaches(rows: Sequence[Row]) -> Any:
    from matplotlib import pyplot

    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    figure, grid = pyplot.subplots(
        lines, columns, figsize=(3.4 * columns, 2.2 * lines), layout="constrained", squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, row in zip(grid.flat, rows, strict=False):
        strength = np.mean([cell.reach for cell in row.cells.values()], axis=0)
        axes.imshow(np.sqrt(strength), cmap="magma", vmin=0, vmax=1)
        axes.set_title(f"{row.label}: {effective_reach(strength):.0f} px", fontsize=9)
    return figure


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, max(1.6, height)), layout="constrained")


def _embed(figure: Any, title: str) -> str:
    """The figure as an `<img>` with its title: PNG if it contains images, else SVG."""
    from matplotlib import pyplot

    kind = "png" if any(axes.images for axes in figure.axes) else "svg"
    figure.suptitle(title, fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=110)
    pyplot.close(figure)
    media = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{html.escape(title)}" src="data:{media};base64,{data}">'
