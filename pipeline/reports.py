"""What a run says of itself at the end: tables on the screen and in files."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.console import Console
from rich.table import Table

from foveate.pipeline.metrics import Scores


def print_scores(scores: Scores, names: tuple[str, ...], title: str) -> None:
    """Per-class table, best first, with the means under it."""
    print(title, flush=True)
    table = Table()
    table.add_column("class")
    table.add_column("IoU", justify="right")
    table.add_column("accuracy", justify="right")
    rows = zip(names, scores.iou.tolist(), scores.accuracy.tolist(), strict=True)
    for name, iou, accuracy in sorted(rows, key=lambda row: -1 if math.isnan(row[1]) else row[1], reverse=True):
        table.add_row(name, _percent(iou), _percent(accuracy))
    table.add_section()
    table.add_row(f"mean of {int((~scores.iou.isnan()).sum())}", _percent(scores.miou), _percent(scores.macc))
    table.add_row("all pixels", "", _percent(scores.aacc))
    Console().print(table)


def scores_as_markdown(scores: Scores, names: tuple[str, ...]) -> str:
    """The per-class table for a text file."""
    lines = ["| class | IoU % | accuracy % |", "|---|---|---|"]
    for name, iou, accuracy in zip(names, scores.iou.tolist(), scores.accuracy.tolist(), strict=True):
        lines.append(f"| {name} | {_percent(iou)} | {_percent(accuracy)} |")
    lines.append(f"| **mean** | **{_percent(scores.miou)}** | **{_percent(scores.macc)}** |")
    return "\n".join(lines)


def write_scores(path: Path, scores: Scores, names: tuple[str, ...]) -> None:
    """The same figures as JSON, in [0, 1], with the confusion matrix; null where a class does not occur."""
    figures = {
        "miou": _number(scores.miou),
        "macc": _number(scores.macc),
        "aacc": _number(scores.aacc),
        "iou": dict(zip(names, map(_number, scores.iou.tolist()), strict=True)),
        "accuracy": dict(zip(names, map(_number, scores.accuracy.tolist()), strict=True)),
        "confusion": scores.confusion.tolist(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
