"""Plots as SVG inside a page, in colours that are readable on light and dark ground; matplotlib draws them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from foveate.pipeline.reporting.curves import smooth
from foveate.pipeline.reporting.labels import label_points

COLOURS = ("#3b78c4", "#d9822b", "#3a9a5c", "#b0559e", "#8a7a2f", "#c0504d")  # of the runs
INK = "#010203"  # becomes the colour of the page's text
Points = Sequence[tuple[float, float]]
NEEDED = "pip install 'foveate[plots]' draws plots here"


def is_available() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401  optional
    except ImportError:
        return False
    return True


def _svg(draw: Callable[[Any], None], width: float, height: float) -> str:
    """What is drawn on axes, as SVG; empty without matplotlib."""
    if not is_available():
        return ""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "foveate",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(out.getvalue())


def _for_page(svg: str) -> str:
    """The drawing alone, as wide as the page allows, in the colour of its text and in its font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg [^>]*?width="([\d.]+)pt"[^>]*?>', _opening, svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font(?:-family)?: [^;\"]*;?", lambda found: _font(found[0]), svg.replace(INK, "currentColor"))
    return f'<div class="plot">{svg}</div>'


def _opening(found: re.Match[str]) -> str:
    box = re.search(r'viewBox="([^"]+)"', found[0])
    assert box is not None
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg role="img" viewBox="{box[1]}" style="max-width: {float(found[1]) * 96 / 72:.0f}px" {names}>'


def _font(declared: str) -> str:
    size = re.search(r"([\d.]+px)", declared)
    return f"font: {size[1]} system-ui, sans-serif;" if size else ""


def draw_lines(series: Mapping[str, Points], ylabel: str, *, smoothed: bool = False) -> str:
    """Values by step, a line for each run.

    Args:
        series: Points of each run.
        ylabel: What the values are.
        smoothed: Draw the moving average over the points.
    """
    if not any(series.values()):
        return ""

    def draw(axes: Any) -> None:
        for colour, (name, points) in zip(cycle(COLOURS), series.items(), strict=False):
            steps, values = zip(*points, strict=True) if points else ((), ())
            axes.plot(steps, values, color=colour, alpha=0.35 if smoothed else 1, marker="" if smoothed else ".")
            if smoothed and points:
                means = smooth([(int(step), value) for step, value in points])
                axes.plot(*zip(*means, strict=True), color=colour, label=name)
            elif points:
                axes.lines[-1].set_label(name)
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(ylabel)
        if len(series) > 1:
            axes.legend()

    return _svg(draw, 6.6, 2.8)


def draw_bars(
    names: Sequence[str], values: Mapping[str, Sequence[float]], intervals: Mapping[str, Sequence[Any]], xlabel: str
) -> str:
    """Horizontal bars with intervals: a group for each name, a bar for each run.

    Args:
        names: Such as of classes.
        values: Of each run, in percent; NaN leaves out a bar.
        intervals: Of each run: lower and upper end for each name, or None.
        xlabel: What the values are.
    """
    thick = 0.8 / max(1, len(values))

    def draw(axes: Any) -> None:
        places = np.arange(len(names))
        for number, (run, given) in enumerate(values.items()):
            at = places + (number - (len(values) - 1) / 2) * thick
            shown = np.nan_to_num(np.array(given, dtype=float))
            axes.barh(at, shown, height=thick * 0.9, color=COLOURS[number % len(COLOURS)], label=run)
            for place, ends in zip(at, intervals.get(run, ()), strict=False):
                if ends is not None:
                    axes.plot(ends, (place, place), color=INK, linewidth=1.2)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(xlabel)
        axes.margins(y=0.01)
        if len(values) > 1:
            axes.legend()

    return _svg(draw, 6.6, 0.7 + len(names) * max(0.24, 0.13 * len(values)))


def draw_reliability(series: Mapping[str, Points]) -> str:
    """Accuracy by confidence, both in percent; on the diagonal both are equal.

    Args:
        series: Of each run: confidence and accuracy of each bin.
    """

    def draw(axes: Any) -> None:
        axes.plot((0, 100), (0, 100), color=INK, linewidth=0.8, linestyle=":")
        for colour, (name, points) in zip(cycle(COLOURS), series.items(), strict=False):
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", label=name)
        axes.set_xlabel("confidence %")
        axes.set_ylabel("accuracy %")
        axes.set_aspect("equal")
        if len(series) > 1:
            axes.legend()

    return _svg(draw, 4.6, 4.2) if any(series.values()) else ""


def draw_scatter(points: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> str:
    """A named point for each of several things.

    Args:
        points: Of each name: its place.
        xlabel: What the first values are.
        ylabel: What the second values are.
    """

    def draw(axes: Any) -> None:
        axes.plot(*zip(*points.values(), strict=True), "o", color=COLOURS[0], markersize=5)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        label_points(axes, points, colour=INK)

    return _svg(draw, 5.6, 4.2) if points else ""
