"""What a run says of its scores: tables on the screen and in files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from foveate.pipeline.files import write_text
from foveate.pipeline.metrics.classification import ClassificationScores
from foveate.pipeline.metrics.confusion import Scores
from foveate.pipeline.text import markdown_table

SHOWN = 40  # classes on the screen; of more, the best and the worst
MATRIX = 100  # classes up to which a confusion matrix is written
Row = tuple[str, list[float]]


@dataclass(frozen=True)
class Report:
    """Scores, ready to be shown. Figures are in [0, 1]; NaN shows as a dash, and in a file as null.

    Attributes:
        columns: What the figures of a row are.
        rows: A name and its figures, for each class.
        means: The same for the lines under the table.
        figures: What a file holds.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    means: Sequence[Row]
    figures: Mapping[str, Any]


def report_segmentation(scores: Scores, names: Sequence[str]) -> Report:
    """IoU and accuracy of each class, with the means."""
    iou, accuracy = scores.iou.tolist(), scores.accuracy.tolist()
    return Report(
        columns=("IoU", "accuracy"),
        rows=[(name, [i, a]) for name, i, a in zip(names, iou, accuracy, strict=True)],
        means=[
            (f"mean of {int((~scores.iou.isnan()).sum())}", [scores.miou, scores.macc]),
            ("all pixels", [math.nan, scores.aacc]),
        ],
        figures={
            "miou": _number(scores.miou),
            "macc": _number(scores.macc),
            "aacc": _number(scores.aacc),
            "iou": dict(zip(names, map(_number, iou), strict=True)),
            "accuracy": dict(zip(names, map(_number, accuracy), strict=True)),
            "confusion": scores.confusion.tolist(),
        },
    )


def report_classification(scores: ClassificationScores, names: Sequence[str]) -> Report:
    """Accuracy of each class, with the mean, that of all images, top 5 and the calibration error."""
    accuracy = scores.accuracy.tolist()
    means = [(f"mean of {int((scores.images > 0).sum())}", [scores.macc]), ("all images", [scores.acc])]
    if scores.acc5 is not None:
        means.append(("all images, top 5", [scores.acc5]))
    confused = [(names[label], names[said], count) for label, said, count in scores.most_confused()]
    figures: dict[str, Any] = {
        "acc": _number(scores.acc),
        "acc5": None if scores.acc5 is None else _number(scores.acc5),
        "macc": _number(scores.macc),
        "calibration_error": _number(scores.calibration_error),
        "accuracy": dict(zip(names, map(_number, accuracy), strict=True)),
        "images": dict(zip(names, scores.images.tolist(), strict=True)),
        "most_confused": [{"label": label, "predicted": said, "images": count} for label, said, count in confused],
    }
    if scores.confusion is not None and len(names) <= MATRIX:
        figures["confusion"] = scores.confusion.tolist()
    return Report(
        columns=("accuracy",),
        rows=[(name, [value]) for name, value in zip(names, accuracy, strict=True)],
        means=[*means, ("calibration error", [scores.calibration_error])],
        figures=figures,
    )


def print_report(report: Report, title: str) -> None:
    """The table on the screen, best first, with the means under it."""
    print(title, flush=True)
    table = Table()
    table.add_column("class")
    for column in report.columns:
        table.add_column(column, justify="right")
    ordered = sorted(report.rows, key=lambda row: -1 if math.isnan(row[1][0]) else row[1][0], reverse=True)
    for name, figures in _shown(ordered):
        table.add_row(name, *map(_percent, figures))
    table.add_section()
    for name, figures in report.means:
        table.add_row(name, *("" if math.isnan(figure) else _percent(figure) for figure in figures))
    Console().print(table)


def _shown(rows: Sequence[Row]) -> list[Row]:
    if len(rows) <= SHOWN:
        return list(rows)
    half = SHOWN // 2
    return [*rows[:half], (f"({len(rows) - 2 * half} more)", [math.nan] * len(rows[0][1])), *rows[-half:]]


def report_as_markdown(report: Report) -> str:
    """The table for a text file, every class in it."""
    rows = [[name, *map(_percent, figures)] for name, figures in report.rows]
    rows += [[f"**{name}**", *(f"**{_percent(figure)}**" for figure in figures)] for name, figures in report.means]
    return "\n".join(markdown_table(["class", *(f"{column} %" for column in report.columns)], rows))


def write_report(path: Path, report: Report) -> None:
    """The figures as JSON, in [0, 1]; null where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(report.figures, indent=2) + "\n")


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
