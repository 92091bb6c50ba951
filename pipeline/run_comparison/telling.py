"""A comparison of runs in words, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from foveate.pipeline.run_comparison.effects import ALPHA, Effect, Pair
from foveate.pipeline.text import few

TITLES = {"miou": "mIoU", "macc": "mean accuracy", "aacc": "accuracy", "acc": "accuracy", "acc5": "top-5 accuracy"}
SHOWN = 40  # largest number of classes in the table; of more, those that move most


def tell_pair(pair: Pair) -> list[str]:
    """What a comparison of two runs says, in sentences.

    Args:
        pair: The runs and their effects.
    """
    head, effect = next(iter(pair.overall.items()))
    title, facts = TITLES[head], _facts(effect)
    if math.isnan(effect.gain):
        return [f"{pair.first} and {pair.second} cannot be compared by {title}: it is not defined"]
    if not effect.differs:
        lines = [f"{pair.first} and {pair.second} cannot be told apart by {title}: {facts}"]
    else:
        better, worse = (pair.second, pair.first) if effect.gain > 0 else (pair.first, pair.second)
        lines = [f"{better} is better than {worse} by {title}: {facts}"]
    return [*lines, _tell_classes(pair.classes)]


def _facts(effect: Effect) -> str:
    interval = "no interval, since they differ in too few images"
    if effect.interval is not None:
        low, high = effect.interval
        interval = f"95 % interval {_points(low)} to {_points(high)}"
    return f"{_points(effect.gain)} points ({interval}; p = {_p(effect.corrected)})"


def _tell_classes(classes: Mapping[str, Effect]) -> str:
    known = {name: effect for name, effect in classes.items() if not math.isnan(effect.p)}
    differing = {name: effect for name, effect in known.items() if effect.differs}
    if not differing:
        return f"no single class of {len(known)} can be told apart"
    ranked = sorted(differing.items(), key=lambda item: -abs(item[1].gain))
    shown = few((f"{name} {_points(effect.gain)}" for name, effect in ranked), 10)
    others = len(known) - len(differing)
    rest = f"; the other {others} cannot be told apart" if others else ""
    return f"classes that differ: {shown}{rest}"


def print_pair(pair: Pair) -> None:
    """Print the figures of two runs, their effects, and what follows from them.

    Args:
        pair: The runs and their effects.
    """
    console = Console(highlight=False)
    table = Table(pad_edge=False, box=None)
    table.add_column("figure, in %", overflow="fold")
    for column in ("first", "second", "second less first", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    for head, effect in pair.overall.items():
        table.add_row(TITLES[head], *_cells(effect))
    table.add_row()
    for name, effect in _most_moved(pair.classes):
        table.add_row(name, *_cells(effect))
    console.print(f"first: {pair.first}\nsecond: {pair.second}", markup=False, soft_wrap=True)
    console.print(table, markup=False)
    for line in tell_pair(pair):
        console.print(line, markup=False, soft_wrap=True)


def _most_moved(classes: Mapping[str, Effect]) -> list[tuple[str, Effect]]:
    if len(classes) <= SHOWN:
        return list(classes.items())
    ranked = sorted(
        classes, key=lambda name: -abs(classes[name].gain) if classes[name].gain == classes[name].gain else 1
    )
    kept = set(ranked[:SHOWN])
    return [(name, effect) for name, effect in classes.items() if name in kept]


def _cells(effect: Effect) -> list[str]:
    gain = "-" if math.isnan(effect.gain) else _points(effect.gain)
    if effect.interval is not None:
        gain += f" [{_points(effect.interval[0])}, {_points(effect.interval[1])}]"
    return [_percent(effect.first), _percent(effect.second), gain, f"{_p(effect.corrected)}{' *' * effect.differs}"]


def pairs_as_json(pairs: Sequence[Pair], facts: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison for a file; figures in [0, 1], null where one is not defined.

    Args:
        pairs: The runs and their effects.
        facts: What else is to be known, such as the number of images.
    """
    return {
        **facts,
        "alpha": ALPHA,
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "verdict": tell_pair(pair)[0],
                **{head: _as_json(effect) for head, effect in pair.overall.items()},
                "classes": {name: _as_json(effect) for name, effect in pair.classes.items()},
            }
            for pair in pairs
        ],
    }


def _as_json(effect: Effect) -> dict[str, Any]:
    numbers = {
        "first": effect.first,
        "second": effect.second,
        "difference": effect.gain,
        "p": effect.p,
        "p_holm": effect.corrected,
    }
    rounded = {name: None if math.isnan(value) else round(value, 6) for name, value in numbers.items()}
    interval = None if effect.interval is None else [round(value, 6) for value in effect.interval]
    return {**rounded, "interval": interval, "differs": effect.differs}


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}" if value < 0.0995 else f"{value:.2f}"
