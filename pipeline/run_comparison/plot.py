"""The effects of a comparison as a picture: a point and its interval for each figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import replacing
from foveate.pipeline.run_comparison.effects import Effect, Pair
from foveate.pipeline.run_comparison.telling import TITLES

CLASSES = 40  # largest number of classes drawn; of more, those that move most


def check_plots() -> None:
    """Refuse to draw without matplotlib.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("--plot needs matplotlib: pip install 'foveate[plots]'") from error
    matplotlib.use("Agg")


def draw_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Draw a column for each pair of runs.

    Args:
        pairs: The runs and their effects.
        path: The picture's file: .png, .svg or .pdf.
    """
    from matplotlib import pyplot  # late, and an extra

    rows = max(len(_rows(pair)) for pair in pairs)
    size = (1.5 + 4.5 * len(pairs), 1.2 + 0.25 * rows)
    figure, axes = pyplot.subplots(1, len(pairs), figsize=size, layout="constrained", squeeze=False)
    for pair, one in zip(pairs, axes[0], strict=True):
        _draw(one, pair)
    with replacing(path) as draft, draft.open("wb") as file:
        figure.savefig(file, format=path.suffix.lstrip(".") or "png", dpi=120)
    pyplot.close(figure)


def _rows(pair: Pair) -> list[tuple[str, Effect]]:
    known = [name for name, effect in pair.classes.items() if not math.isnan(effect.gain)]
    kept = set(sorted(known, key=lambda name: -abs(pair.classes[name].gain))[:CLASSES])
    overall = [(TITLES[head], effect) for head, effect in pair.overall.items()]
    return [*overall, *((name, effect) for name, effect in pair.classes.items() if name in kept)]


def _draw(axes: Any, pair: Pair) -> None:
    rows = _rows(pair)
    for place, (_, effect) in enumerate(rows):
        colour = "tab:blue" if effect.differs else "tab:gray"
        if effect.interval is not None:
            axes.plot([100 * end for end in effect.interval], [place, place], color=colour, linewidth=2)
        axes.plot(100 * effect.gain, place, "o", color=colour, markersize=5)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axhline(len(pair.overall) - 0.5, color="black", linewidth=0.4)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("points, 95 % interval; blue: can be told apart")
    axes.set_title(f"{pair.second}\nless {pair.first}", fontsize=9)
