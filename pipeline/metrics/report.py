"""Scores as tables for the screen and as figures for files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from foveate.pipeline.metrics.tables import FigureTable, Value
from foveate.pipeline.text import markdown_table

if TYPE_CHECKING:  # they need torch, which tables do not
    from foveate.pipeline.metrics.classification import ClassificationScores
    from foveate.pipeline.metrics.confusion import Scores

SHOWN = 40  # largest number of classes shown; of more, only the best and the worst
MATRIX = 100  # largest number of classes with a confusion matrix in the file
WORST = 3  # classes of a further table that are shown: the worst
BANDS = 20  # largest number of rows of a further table that are shown
Row = tuple[str, list[float]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Report:
    """Scores, ready for display. Figures are in [0, 1]; NaN shows as a dash, and in a file as null.

    Attributes:
        columns: What the figures of a row are.
        rows: The name of each class and its figures, in the data set's order.
        means: Name and figures of the lines below the table.
        figures: The content of a score file.
        levels: Coarser scores of the same pixels by name, such as those of categories.
        intervals: 95 % intervals of the figures of a row, by its name; None for a figure without one.
        further: The scalars of the recipe's metrics by name; of any range.
        tables: Further tables, of the recipe's metrics.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    means: Sequence[Row]
    figures: Mapping[str, Any]
    levels: Mapping[str, Report] = field(default_factory=dict)
    intervals: Mapping[str, Sequence[Interval | None]] = field(default_factory=dict)
    further: Mapping[str, float] = field(default_factory=dict)
    tables: Sequence[FigureTable] = ()

    @property
    def note(self) -> str:
        """One line on the intervals, or on why there are none; empty if nobody asked for them."""
        found = self.figures.get("interval") or {}
        if "missing" in found:
            return f"no 95 % intervals: {found['missing']}"
        return f"in brackets: 95 % interval, over {found['count']:,} {found['of']}" if found else ""


def report_segmentation(
    scores: Scores, names: Sequence[str], levels: Mapping[str, tuple[Sequence[str], Scores]] | None = None
) -> Report:
    """IoU, accuracy and share of the labelled pixels of each class, with the means.

    Args:
        scores: Scores of K classes.
        names: K names.
        levels: Coarser scores: for each level the names of its groups, and their scores.
    """
    figures = _segmentation_figures(scores, names)
    if levels:
        figures["levels"] = {level: _segmentation_figures(coarse, groups) for level, (groups, coarse) in levels.items()}
    return report_figures(figures)


def extend_report(report: Report, further: Mapping[str, float], tables: Sequence[FigureTable]) -> Report:
    """A report with the scalars and tables of further metrics, which its file contains too.

    Args:
        report: The report of the task's own scores.
        further: Scalars by name.
        tables: Tables; of several with one name the last is taken.
    """
    if not further:
        return report
    content = {table.name: table.as_json() for table in tables}
    extra = {"metrics": {name: _number(value) for name, value in further.items()}, "tables": content}
    return report_figures({**report.figures, **extra})


def _segmentation_figures(scores: Scores, names: Sequence[str]) -> dict[str, Any]:
    from foveate.pipeline.metrics.overlap import agreement_of  # late: imports torch

    names = distinct(names)
    agreement = agreement_of(scores.confusion)
    return {
        "miou": _number(scores.miou),
        "macc": _number(scores.macc),
        "aacc": _number(scores.aacc),
        "iou": _by_name(names, scores.iou.tolist()),
        "accuracy": _by_name(names, scores.accuracy.tolist()),
        "mdice": _number(agreement.macro("f1")),
        "mprecision": _number(agreement.macro("precision")),
        "dice": _by_name(names, agreement.f1.tolist()),
        "precision": _by_name(names, agreement.precision.tolist()),
        "pixels": dict(zip(names, scores.confusion.sum(1).tolist(), strict=True)),
        "confusion": scores.confusion.tolist(),
    }


def report_classification(scores: ClassificationScores, names: Sequence[str]) -> Report:
    """Accuracy and share of the images of each class, with the means and the calibration error.

    Args:
        scores: Scores of K classes.
        names: K names.
    """
    names = distinct(names)
    confused = [(names[label], names[said], count) for label, said, count in scores.most_confused()]
    figures: dict[str, Any] = {
        "acc": _number(scores.acc),
        "acc5": None if scores.acc5 is None else _number(scores.acc5),
        "macc": _number(scores.macc),
        "calibration_error": _number(scores.calibration_error),
        "accuracy": _by_name(names, scores.accuracy.tolist()),
        "images": dict(zip(names, scores.images.tolist(), strict=True)),
        "most_confused": [{"label": label, "predicted": said, "images": count} for label, said, count in confused],
    }
    if scores.confusion is not None:
        from foveate.pipeline.metrics.overlap import agreement_of  # late: imports torch

        agreement = agreement_of(scores.confusion)
        figures |= {f"m{name}": _number(agreement.macro(name)) for name in ("precision", "f1")}
        figures |= {name: _by_name(names, agreement.of(name).tolist()) for name in ("precision", "f1")}
        if len(names) <= MATRIX:
            figures["confusion"] = scores.confusion.tolist()
    return report_figures(figures)


def add_intervals(report: Report, given: Mapping[str, Any]) -> Report:
    """A report whose figures have intervals beside them.

    Args:
        report: The scores.
        given: Intervals under the keys of their figures with `_interval`, and what is to be known of them under
            `interval`; `levels` holds those of coarser scores.
    """
    return report_figures(_beside(report.figures, given))


def _beside(figures: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with each interval after its figure."""
    merged: dict[str, Any] = {"interval": given["interval"]} if "interval" in given else {}
    for key, value in figures.items():
        merged[key] = value
        if f"{key}_interval" in given:
            merged[f"{key}_interval"] = given[f"{key}_interval"]
    if "levels" in given:
        merged["levels"] = {level: _beside(own, given["levels"][level]) for level, own in figures["levels"].items()}
    return merged


def report_figures(figures: Mapping[str, Any]) -> Report:
    """The report of figures as a file holds them, of segmentation (with `iou`) or of classification."""
    report = _of_segmentation(figures) if "iou" in figures else _of_classification(figures)
    tables = [FigureTable.from_json(name, content) for name, content in figures.get("tables", {}).items()]
    return replace(report, further={k: _value(v) for k, v in figures.get("metrics", {}).items()}, tables=tables)


def _of_segmentation(figures: Mapping[str, Any]) -> Report:
    iou, accuracy = figures["iou"], figures["accuracy"]
    pixels: Mapping[str, int] = figures["pixels"]
    total = sum(pixels.values())
    rows = [(name, [_value(iou[name]), _value(accuracy[name]), _share(pixels[name], total)]) for name in iou]
    scored = sum(value is not None for value in iou.values())
    return Report(
        columns=("IoU", "accuracy", "pixels"),
        rows=rows,
        means=[
            (f"mean of {scored}", [_value(figures["miou"]), _value(figures["macc"]), math.nan]),
            ("all pixels", [math.nan, _value(figures["aacc"]), math.nan]),
        ],
        figures=figures,
        levels={level: _of_segmentation(coarse) for level, coarse in figures.get("levels", {}).items()},
        intervals={
            **{name: (_pair(pair),) for name, pair in figures.get("iou_interval", {}).items()},
            f"mean of {scored}": (_pair(figures.get("miou_interval")), _pair(figures.get("macc_interval"))),
            "all pixels": (None, _pair(figures.get("aacc_interval"))),
        },
    )


def _of_classification(figures: Mapping[str, Any]) -> Report:
    accuracy: Mapping[str, float | None] = figures["accuracy"]
    images: Mapping[str, int] = figures["images"]
    total = sum(images.values())
    scored = sum(count > 0 for count in images.values())
    means = {f"mean of {scored}": figures["macc"], "all images": figures["acc"]}
    if figures["acc5"] is not None:
        means["all images, top 5"] = figures["acc5"]
    means["calibration error"] = figures["calibration_error"]
    return Report(
        columns=("accuracy", "images"),
        rows=[(name, [_value(value), _share(images[name], total)]) for name, value in accuracy.items()],
        means=[(name, [_value(value), math.nan]) for name, value in means.items()],
        figures=figures,
        intervals={
            **{name: (_pair(pair),) for name, pair in figures.get("accuracy_interval", {}).items()},
            f"mean of {scored}": (_pair(figures.get("macc_interval")),),
            "all images": (_pair(figures.get("acc_interval")),),
            "all images, top 5": (_pair(figures.get("acc5_interval")),),
        },
    )


def print_report(report: Report, title: str, note: str = "") -> None:
    """Print the table with the means under it, classes in the data set's order.

    Args:
        report: The scores.
        title: The line above the table.
        note: A second line, such as what was scored.
    """
    console = Console(highlight=False)
    for line in filter(None, (title, note)):
        console.print(line, markup=False, soft_wrap=not console.is_terminal)
    table = Table(pad_edge=False, box=None)
    table.add_column("class", overflow="fold")
    for column in report.columns:
        table.add_column(f"{column} %", justify="right", no_wrap=True)
    _add_rows(table, report)
    for level, coarse in report.levels.items():
        table.add_row()
        table.add_row(f"{level}:")
        _add_rows(table, coarse)
    console.print(table, markup=False)
    if report.note:
        console.print(report.note, markup=False, soft_wrap=not console.is_terminal)
    if report.further:
        console.print()
        console.print(_in_a_line(report.further), markup=False, soft_wrap=not console.is_terminal)
    for further in report.tables:
        console.print()
        console.print(f"{further.name}: {further.meaning}", markup=False, soft_wrap=not console.is_terminal)
        console.print(_further_table(further), markup=False)


def _in_a_line(further: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {'-' if math.isnan(value) else f'{value:.4f}'}" for name, value in further.items())


def _further_table(given: FigureTable) -> Table:
    table = Table(pad_edge=False, box=None)
    table.add_column(given.label, overflow="fold")
    for column in given.columns:
        table.add_column(column, justify="right", overflow="fold")
    for name, values in [*_fewer(given), *given.means]:
        table.add_row(name, *map(_shortly, values))
    return table


def _fewer(given: FigureTable) -> Sequence[tuple[str, Sequence[Value]]]:
    """The rows that are shown: of classes the worst, of others all that are not empty, unless there are too many."""
    scored = [row for row in given.rows if not math.isnan(row[1][0])]
    most = WORST if given.label == "class" else BANDS
    if len(scored) <= most:
        return scored
    worst = sorted(scored, key=lambda row: row[1][0], reverse=given.lower_is_better)[:most]
    return [*worst, (f"({len(given.rows) - len(worst)} more in the file)", [math.nan] * len(given.columns))]


def _shortly(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else _percent(value)


def _add_rows(table: Table, report: Report) -> None:
    for name, figures in _shown(report.rows):
        table.add_row(name, *_cells(report, name, figures))
    table.add_row()
    for name, figures in report.means:
        shown = _cells(report, name, figures)
        table.add_row(name, *("" if math.isnan(figure) else cell for figure, cell in zip(figures, shown, strict=True)))


def _shown(rows: Sequence[Row]) -> list[Row]:
    """All rows; of many, those with the best and the worst first figure, each part in the data set's order."""
    if len(rows) <= SHOWN:
        return list(rows)
    scored = [place for place, row in enumerate(rows) if not math.isnan(row[1][0])]
    ranked = sorted(scored, key=lambda place: rows[place][1][0], reverse=True)
    half = SHOWN // 2
    best, worst = ranked[:half], ranked[half:][-half:]
    gap = (f"({len(rows) - len(best) - len(worst)} more between them)", [math.nan] * len(rows[0][1]))
    return [*(rows[place] for place in sorted(best)), gap, *(rows[place] for place in sorted(worst))]


def report_as_markdown(report: Report) -> str:
    """The table for a text file, every class in it; a further table for each level of coarser scores."""
    tables = [_markdown("class", report), *(_markdown(level, coarse) for level, coarse in report.levels.items())]
    tables += [f"{report.note.capitalize()}."] if report.note else []
    tables += [f"Further figures: {_in_a_line(report.further)}."] if report.further else []
    tables += [_further_markdown(table) for table in report.tables]
    return "\n\n".join(tables)


def _markdown(heading: str, report: Report) -> str:
    rows = [[name, *_cells(report, name, figures)] for name, figures in report.rows]
    for name, figures in report.means:
        shown = zip(figures, _cells(report, name, figures), strict=True)
        rows.append([f"**{name}**", *("" if math.isnan(figure) else f"**{cell}**" for figure, cell in shown)])
    return "\n".join(markdown_table([heading, *(f"{column} %" for column in report.columns)], rows))


def _cells(report: Report, name: str, figures: Sequence[float]) -> list[str]:
    """The figures of a row in percent, each with its interval if it has one."""
    pairs = [*report.intervals.get(name, ()), *[None] * len(figures)]
    return [
        _percent(figure) if pair is None or math.isnan(figure) else f"{_percent(figure)} {_bracket(pair)}"
        for figure, pair in zip(figures, pairs, strict=False)
    ]


def _bracket(pair: Interval) -> str:
    return f"[{_percent(pair[0])}, {_percent(pair[1])}]"


def _pair(given: Sequence[float] | None) -> Interval | None:
    return None if given is None else (given[0], given[1])


def _further_markdown(table: FigureTable) -> str:
    rows = [[name, *map(_shortly, values)] for name, values in table.rows]
    rows += [[f"**{name}**", *(f"**{_shortly(value)}**" for value in values)] for name, values in table.means]
    return "\n".join([f"{table.name}: {table.meaning}", "", *markdown_table([table.label, *table.columns], rows)])


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def distinct(names: Sequence[str]) -> list[str]:
    """Unique names: a repeated one gets its index appended.

    Args:
        names: Of classes.
    """
    return [name if name not in names[:place] else f"{name} ({place})" for place, name in enumerate(names)]


def _by_name(names: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    return dict(zip(names, map(_number, values), strict=True))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def _value(number: float | None) -> float:
    return math.nan if number is None else number


def _share(count: int, total: int) -> float:
    return count / total if total else math.nan
