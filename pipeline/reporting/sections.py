"""The sections of a report, each of one or several runs; a section is left out where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from foveate.datasets.pages.page import folded, paragraph, plain, table
from foveate.datasets.pages.pictures import gallery
from foveate.pipeline.callbacks.extremes import Extremes
from foveate.pipeline.reporting.collect import RunFacts
from foveate.pipeline.reporting.parts import Cell, Section, compare_pictures, heat_map, legend, with_data
from foveate.pipeline.reporting.plots import draw_bars, draw_lines, draw_reliability

FIGURES = {
    "miou": "mIoU",
    "macc": "mean accuracy",
    "aacc": "accuracy of all pixels",
    "acc": "accuracy",
    "acc5": "top-5 accuracy",
    "calibration_error": "calibration error",
}
SEGMENTATION, CLASSIFICATION = ("miou", "macc", "aacc"), ("acc", "acc5", "macc", "calibration_error")
BARS = 60  # most classes of a plot
MAPPED = 40  # most classes of a confusion matrix that is shown whole
BANDS = {
    "by_distance": (
        "Errors by distance to a boundary",
        "Accuracy of the pixels in bands of distance to another label.",
    ),
    "by_size": ("Errors by size of the objects", "How much of the labelled regions was found, by their size."),
    "by_row": ("Errors by image row", "Accuracy of the pixels in bands of the image's height, from top to bottom."),
}


def all_sections(runs: Sequence[RunFacts]) -> list[Section]:
    """The sections about some runs.

    Args:
        runs: At least one.
    """
    made = [_scores(runs), _trained(runs), _curves(runs), _classes(runs), *(_confusion(run, runs) for run in runs)]
    made += [_calibration(runs), *(_bands(key, runs) for key in BANDS), *(_images(run, runs) for run in runs)]
    made += [_doubts(run, runs) for run in runs]
    return [section for section in made if section is not None]


def _named(heading: str, run: RunFacts, runs: Sequence[RunFacts]) -> str:
    return heading if len(runs) == 1 else f"{heading}: {run.name}"


def _figures(run: RunFacts) -> Mapping[str, Any]:
    return run.scored[1].figures if run.scored is not None else {}


def _percent(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(100 * value, 4)


def _scores(runs: Sequence[RunFacts]) -> Section | None:
    """The headline figures with their intervals; of several runs the differences to the first."""
    scored = [run for run in runs if run.scored is not None]
    if not scored:
        return None
    first = _figures(scored[0])
    keys = [key for key in (SEGMENTATION if scored[0].is_segmentation else CLASSIFICATION) if key in first]
    columns = ["run", "step", *(f"{FIGURES[key]} %" for key in keys)]
    rows: list[list[Cell]] = []
    for run in scored:
        assert run.scored is not None
        evaluation, report = run.scored
        cells: list[Cell] = [run.name, evaluation.step]
        for key in keys:
            cells.append(_with_interval(report.figures, key, first if run is not scored[0] else None))
        rows.append(cells)
    evaluation, report = scored[0].scored  # type: ignore[misc]
    lines = [paragraph(f"{run.name}: {run.scored[0].title}; {run.scored[0].note}.") for run in scored if run.scored]
    note = paragraph(f"{report.note.capitalize()}.") if report.note else ""
    body = table(columns, [[_text(cell) for cell in row] for row in rows]) + note + "".join(lines)
    headline = ", ".join(f"{row[0]}: {columns[2].removesuffix(' %')} {row[2]} %" for row in rows)
    return Section("Scores", body, headline)


def _with_interval(figures: Mapping[str, Any], key: str, first: Mapping[str, Any] | None) -> str:
    value = figures.get(key)
    if value is None:
        return "-"
    ends = figures.get(f"{key}_interval")
    text = f"{100 * value:.1f}" + (f" [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else "")
    if first is not None and first.get(key) is not None:
        text += f" ({100 * (value - first[key]):+.1f})"
    return text


def _text(cell: Cell) -> str:
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _trained(runs: Sequence[RunFacts]) -> Section:
    """Recipe, versions and data."""
    parts = []
    for run in runs:
        heading = f"<h3>{plain(run.name)}</h3>" if len(runs) > 1 else ""
        items = "".join(f"<li>{plain(line.replace('`', ''))}</li>" for line in run.summary)
        known = [f"{key}: {value}" for key, value in run.circumstances.items() if value not in ({}, None)]
        recipe = yaml.safe_dump(dict(run.recipe), sort_keys=False).splitlines()
        parts.append(f"{heading}<ul>{items}</ul>{folded('versions, plugins, data', known)}{folded('recipe', recipe)}")
    return Section("What was trained", "".join(parts))


def _curves(runs: Sequence[RunFacts]) -> Section | None:
    """Loss and score by step."""
    if not any(run.log for run in runs):
        return None
    monitor = runs[0].monitor
    losses = {run.name: _points(run, "train/loss", 1) for run in runs}
    scores = {run.name: _points(run, monitor, 100) for run in runs}
    plots = draw_lines(losses, "training loss", smoothed=True) + draw_lines(scores, f"{monitor} %")
    rows: list[list[Cell]] = []
    for run in runs:
        for row in run.log:
            cells = [_number(row.get(key)) for key in ("train/loss", monitor, "train/lr")]
            if any(cell is not None for cell in cells):
                rows.append([run.name, int(row["step"]), *cells])
    text = "The loss of the training steps with its moving average, and the score of the validations."
    return Section("Curves", with_data(text, plots, ("run", "step", "train/loss", monitor, "train/lr"), rows, "curves"))


def _points(run: RunFacts, key: str, factor: float) -> list[tuple[float, float]]:
    found = ((row["step"], _number(row.get(key))) for row in run.log)
    return [(float(step), factor * value) for step, value in found if value is not None]


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _classes(runs: Sequence[RunFacts]) -> Section | None:
    """The score of each class."""
    key = "iou" if runs[0].is_segmentation else "accuracy"
    scored = [run for run in runs if key in _figures(run)]
    if not scored:
        return None
    names = list(_figures(scored[0])[key])
    values = {run.name: [_percent(_figures(run)[key].get(name)) for name in names] for run in scored}
    ends = {
        run.name: [_scaled((_figures(run).get(f"{key}_interval") or {}).get(name)) for name in names] for run in scored
    }
    shown = names if len(names) <= BARS else _worst(names, values[scored[0].name])
    places = [names.index(name) for name in shown]
    title = "IoU" if key == "iou" else "accuracy"
    plot = draw_bars(
        shown,
        {run: [math.nan if given[at] is None else given[at] for at in places] for run, given in values.items()},  # type: ignore[misc]
        {run: [given[at] for at in places] for run, given in ends.items()},
        f"{title} %",
    )
    rows: list[list[Cell]] = [
        [run.name, name, values[run.name][at], *(ends[run.name][at] or (None, None))]
        for run in scored
        for at, name in enumerate(names)
    ]
    part = f" The {len(shown)} worst of {len(names)} classes are drawn." if len(shown) < len(names) else ""
    text = f"{title} of each class in percent; the line across a bar is its 95 % interval.{part}"
    columns = ("run", "class", f"{title} %", "from %", "to %")
    return Section("Classes", with_data(text, plot, columns, rows, "classes"))


def _scaled(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (round(100 * ends[0], 4), round(100 * ends[1], 4))


def _worst(names: Sequence[str], values: Sequence[float | None]) -> list[str]:
    known = sorted((value, at) for at, value in enumerate(values) if value is not None)
    chosen = sorted(at for _, at in known[:BARS])
    return [names[at] for at in chosen]


def _confusion(run: RunFacts, runs: Sequence[RunFacts]) -> Section | None:
    """The confusion matrix, or of many classes the pairs that are confused most."""
    figures = _figures(run)
    if "confusion" not in figures:
        return None
    names = list(figures["iou" if run.is_segmentation else "accuracy"])
    counts: list[list[int]] = figures["confusion"]
    unit = "pixels" if run.is_segmentation else "images"
    pairs = [
        (names[i], names[j], number, sum(counts[i]))
        for i in range(len(names))
        for j, number in enumerate(counts[i])
        if i != j and number
    ]
    rows: list[list[Cell]] = [
        [label, predicted, number, round(100 * number / total, 4)]
        for label, predicted, number, total in sorted(pairs, key=lambda pair: -pair[2])
    ]
    whole = len(names) <= MAPPED
    text = f"Each row is a label; its {unit} in percent by the class that was predicted."
    text += " Point at a cell for the count." if whole else " Of so many classes only the list of pairs is shown."
    columns = ("label", "predicted", unit, "% of label")
    data = with_data(text, heat_map(names, counts) if whole else "", columns, rows[:500], "confusion")
    return Section(_named("Confusion", run, runs), data)


def _calibration(runs: Sequence[RunFacts]) -> Section | None:
    """Accuracy by confidence."""
    tables = {run.name: _table(run, "reliability") for run in runs}
    known = {name: found for name, found in tables.items() if found is not None}
    if not known:
        return None
    points = {
        name: [(100 * row[0], 100 * row[1]) for _, row in found.rows if row[2] and not math.isnan(row[0])]
        for name, found in known.items()
    }
    rows: list[list[Cell]] = [
        [name, band, _percent(row[0]), _percent(row[1]), int(row[2])]
        for name, found in known.items()
        for band, row in found.rows
    ]
    text = "How often a prediction is right, by how sure the network is of it. On the dotted line both agree."
    columns = ("run", "bin", "confidence %", "accuracy %", "count")
    return Section("Calibration", with_data(text, draw_reliability(points), columns, rows, "calibration"))


def _table(run: RunFacts, key: str) -> Any:
    tables = run.scored[1].tables if run.scored is not None else ()
    return next((found for found in tables if found.name == key), None)


def _bands(key: str, runs: Sequence[RunFacts]) -> Section | None:
    """The first figure of a table by band."""
    tables = {run.name: _table(run, key) for run in runs}
    known = {name: found for name, found in tables.items() if found is not None}
    if not known:
        return None
    heading, text = BANDS[key]
    found = next(iter(known.values()))
    bands = [band for band, _ in found.rows]
    values = {name: [100 * float(row[0]) for _, row in one.rows] for name, one in known.items()}
    rows: list[list[Cell]] = [
        [name, band, *(value if isinstance(value, int) else _percent(value) for value in row)]
        for name, one in known.items()
        for band, row in one.rows
    ]
    counted = [isinstance(value, int) for value in found.rows[0][1]] if found.rows else []
    columns = [title if count else f"{title} %" for title, count in zip(found.columns, counted, strict=False)]
    plot = draw_bars(bands, values, {}, f"{found.columns[0]} %")
    return Section(heading, with_data(text, plot, ("run", found.label, *columns), rows, key))


def _images(run: RunFacts, runs: Sequence[RunFacts]) -> Section | None:
    """The worst and the best images."""
    found = run.extremes
    if not found.worst:
        return None
    score = "mIoU of the image" if run.is_segmentation else "loss"
    parts = [paragraph(f"The images with the lowest and the highest score ({score}), reduced.")]
    if run.is_segmentation:
        parts.append(paragraph("Left of the slider is the image, right of it the prediction or the label."))
        parts.append(legend(found.colours))
    for name, given in (("worst", found.worst), ("best", found.best)):
        shown = _sliders(found, given) if run.is_segmentation else _sheet(given)
        parts.append(f"<h3>The {name}</h3>{gallery(shown)}")
    return Section(_named("Images", run, runs), "".join(parts))


def _sliders(found: Extremes, given: Sequence[Any]) -> Iterator[str]:
    for one in given:
        yield compare_pictures(one, found.colours, f"{one.name}, mIoU {100 * one.score:.1f} %")


def _sheet(given: Sequence[Any]) -> Iterator[str]:
    for one in given:
        text = plain(f"{one.note}, loss {-one.score:.2f}, {one.name}")
        yield f'<figure><img src="{one.image}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _doubts(run: RunFacts, runs: Sequence[RunFacts]) -> Section | None:
    """Regions whose labels are doubted."""
    if not run.doubts:
        return None
    keys = [key for key in ("split", "image", "kind", "labelled", "predicted", "area", "score") if key in run.doubts[0]]
    rows: list[list[Cell]] = [[row[key] for key in keys] for row in run.doubts]
    text = "Labels that the network contradicts, as found by foveate data doubt; the page doubts.html shows them."
    return Section(_named("Doubted labels", run, runs), with_data(text, "", keys, rows, "doubts"))
