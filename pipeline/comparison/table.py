"""The rows of a comparison, as a Markdown table and as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveate.pipeline.comparison.bootstrap import SCORES, average, interval
from foveate.pipeline.comparison.measures import Measures
from foveate.pipeline.comparison.result import Cell
from foveate.pipeline.measuring.receptive_field import effective_reach
from foveate.pipeline.text import markdown_table


@dataclass(frozen=True)
class Row:
    """A block of a comparison.

    Attributes:
        label: Name of the block.
        fault: The error with which it failed; empty if there was none.
        measures: Its costs; None if it failed before they were measured.
        cells: Results of the completed trainings, by seed.
    """

    label: str
    fault: str
    measures: Measures | None
    cells: dict[int, Cell]


@dataclass(frozen=True)
class Result:
    """Scores of a row, in [0, 1].

    Attributes:
        mean: Mean over the seeds, each scored over all images.
        low, high: 95 % bootstrap interval of the mean, over the images.
        seeds: The score of each seed.
        gain: Mean difference to the first row, over the seeds that both have.
        gain_low, gain_high: 95 % bootstrap interval of the gain, with the same images drawn for both rows.
    """

    mean: float
    low: float
    high: float
    seeds: list[float]
    gain: float
    gain_low: float
    gain_high: float


def score_row(row: Row, first: Row, score: str) -> Result | None:
    """The scores of a row, and its gain over the first row; None if no training was completed."""
    if not row.cells:
        return None
    drawn = average([cell.draw_scores(score) for cell in row.cells.values()])
    ours, theirs = (
        {seed: float(SCORES[score](cell.counts.sum(0))) for seed, cell in one.cells.items()} for one in (row, first)
    )
    both = [seed for seed in ours if seed in theirs]
    gain, gain_low, gain_high = math.nan, math.nan, math.nan
    if both:
        gain = float(np.mean([ours[seed] - theirs[seed] for seed in both]))
        pair = [average([one.cells[seed].draw_scores(score) for seed in both]) for one in (row, first)]
        gain_low, gain_high = interval(pair[0] - pair[1])
    return Result(float(np.mean(list(ours.values()))), *interval(drawn), list(ours.values()), gain, gain_low, gain_high)


COSTS = (
    "step ms", "forward ms", "forward ratio", "MMACs", "parameters", "memory MiB",
    "receptive field px", "effective receptive field px",
)  # fmt: skip


START = ("start similarity", "start s")  # of distilled encoders


def headings(score: str, rows: Sequence[Row] = ()) -> list[str]:
    """The columns: score, gain and time of a training step first, then the other costs of each block.

    Args:
        score: `mIoU` or `accuracy`.
        rows: The blocks; if trainings started from distilled encoders, there are columns for them.
    """
    start = START if any(_starts(row) for row in rows) else ()
    return ["block", f"{score} % (95 %)", "gain (95 %)", "step ratio", "seeds", *COSTS, *start]


def _starts(row: Row) -> list[tuple[float, float]]:
    """Similarity to the teacher, and seconds, of the distilled encoders of a row."""
    return [(cell.similarity, cell.distilling) for cell in row.cells.values() if not math.isnan(cell.distilling)]


def lines_of(rows: Sequence[Row], score: str) -> list[list[str]]:
    """The cells of all rows, in the order of `headings`; the first row is the baseline.

    Args:
        rows: The blocks.
        score: `mIoU` or `accuracy`.
    """
    lines = [cells_of(row, rows[0], score) for row in rows]
    if len(headings(score, rows)) == len(headings(score)):
        return lines
    return [[*line, *_start_of(row)] for line, row in zip(lines, rows, strict=True)]


def _start_of(row: Row) -> list[str]:
    starts = _starts(row)
    if not starts:
        return ["-"] * len(START)
    similarity, seconds = np.mean(starts, axis=0)
    return [f"{similarity:.3f}", f"{seconds:.0f}"]


def cells_of(row: Row, first: Row, score: str) -> list[str]:
    """The cells of a row, in the order of the headings, without those of the start.

    Args:
        row: The block.
        first: The baseline.
        score: `mIoU` or `accuracy`.
    """
    value, seeds, gain = _scores_of(row, first, score)
    if row.measures is None:
        return [row.label, value, gain, "-", seeds, *["-"] * len(COSTS)]
    costs = row.measures
    reaches = [effective_reach(cell.reach) for cell in row.cells.values()]
    return [
        row.label,
        value,
        gain,
        f"{costs.step.ratio:.2f}",
        seeds,
        f"{1000 * costs.step.median:.1f}",
        f"{1000 * costs.forward.median:.1f}",
        f"{costs.forward.ratio:.2f}",
        f"{costs.macs / 1e6:,.1f}",
        f"{costs.parameters:,}",
        "-" if costs.memory is None else f"{costs.memory / 2**20:.0f}",
        _field(costs),
        f"{np.mean(reaches):.0f}" if reaches else "-",
    ]


def _field(costs: Measures) -> str:
    if not costs.limit:
        return "-"
    return f"> {costs.limit}" if costs.reach is None else str(costs.reach)


def _scores_of(row: Row, first: Row, score: str) -> list[str]:
    result = score_row(row, first, score)
    if result is None:
        return [row.fault or "-", "-", "-"]
    low, high = min(result.seeds), max(result.seeds)
    return [
        f"{100 * result.mean:.1f} ({100 * result.low:.1f} to {100 * result.high:.1f})"
        + f" {row.fault}" * bool(row.fault),
        f"{100 * low:.1f} to {100 * high:.1f}" if len(result.seeds) > 1 else "one",
        "-"
        if row is first or math.isnan(result.gain)
        else f"{100 * result.gain:+.1f} ({100 * result.gain_low:+.1f} to {100 * result.gain_high:+.1f})",
    ]


def as_markdown(rows: Sequence[Row], score: str) -> str:
    """The table in Markdown."""
    return "\n".join(markdown_table(headings(score, rows), lines_of(rows, score)))


PAPER = ("block", "% (95 %)", "gain", "parameters", "MMACs", "step ratio")  # starts or ends of columns
SPECIAL = {"\\": r"\textbackslash{}", **{letter: f"\\{letter}" for letter in "&%$#_{}"}}


def as_latex(rows: Sequence[Row], score: str) -> str:
    """The columns that a paper shows, as a LaTeX table (package booktabs)."""
    names = headings(score)
    shown = [place for place, text in enumerate(names) if text.startswith(PAPER) or text.endswith(PAPER)]
    lines = [[names[place] for place in shown]]
    lines += [[cells_of(row, rows[0], score)[place] for place in shown] for row in rows]
    texts = [" & ".join("".join(SPECIAL.get(letter, letter) for letter in cell) for cell in line) for line in lines]
    head, *body = [f"{text} \\\\" for text in texts]
    parts = [rf"\begin{{tabular}}{{l{'r' * (len(shown) - 1)}}}", r"\toprule", head, r"\midrule", *body]
    return "\n".join([*parts, r"\bottomrule", r"\end{tabular}", ""])


def write_csv(path: Path, rows: Sequence[Row], score: str) -> None:
    """Write one row per block, with unrounded figures; scores in [0, 1], times in seconds, memory in bytes."""
    names = [
        "block", "fault", "parameters", "macs", "forward_seconds", "forward_ratio", "step_seconds", "step_ratio",
        "memory_bytes", "theoretical_field", "effective_field", score, "low", "high", "seeds", "gain", "gain_low",
        "gain_high", "start_similarity", "start_seconds",
    ]  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            writer.writerow(_figures(row, rows[0], score))


def _figures(row: Row, first: Row, score: str) -> dict[str, object]:
    figures: dict[str, object] = {"block": row.label, "fault": row.fault}
    if row.measures is not None:
        costs = row.measures
        figures |= {"parameters": costs.parameters, "macs": costs.macs, "memory_bytes": costs.memory}
        figures |= {"forward_seconds": costs.forward.median, "forward_ratio": costs.forward.ratio}
        figures |= {"step_seconds": costs.step.median, "step_ratio": costs.step.ratio}
        figures |= {"theoretical_field": _field(costs)}
    result = score_row(row, first, score)
    if result is not None:
        figures |= {score: result.mean, "low": result.low, "high": result.high}
        figures |= {"seeds": " ".join(f"{value:.6f}" for value in result.seeds)}
        figures |= {"gain": result.gain, "gain_low": result.gain_low, "gain_high": result.gain_high}
        if starts := _starts(row):
            similarity, seconds = np.mean(starts, axis=0)
            figures |= {"start_similarity": float(similarity), "start_seconds": float(seconds)}
        figures |= {"effective_field": float(np.mean([effective_reach(cell.reach) for cell in row.cells.values()]))}
    return figures
