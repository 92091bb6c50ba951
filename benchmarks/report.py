"""Writes RESULTS.md: one table of goals, then a section a case, then what people wrote in notes.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foveate.benchmarks.results import Goal, Result

HEAD = """# Measured against peers

Written by `make bench`; do not edit (what people wrote is in `notes.md`). In each comparison the candidates ran in
turn in one process, A B C A B C ..., so that a busy machine slows them alike. A ratio is the median of the rounds'
ratios, with their quartiles; single times are told for orientation only.
"""
MARK = {True: "yes", False: "no", None: ""}
# The order of the goals in issue and table; cases that hold none follow below.
ENVIRONMENT = ("processor", "cores", "memory", "gpu", "driver", "system", "kernels", "python")


def write(results: Sequence[Result], races: Sequence[dict[str, Any]], folder: Path | None) -> str:
    """The whole report.

    Args:
        results: Of the cases that were run.
        races: Of the runs of the race.
        folder: Where notes.md and the race's pictures may lie; None for a machine that they do not tell of.
    """
    parts = [HEAD, machine(results), goals_table(results)]
    if races and folder is not None:
        from foveate.benchmarks.race_report import section

        parts.append(section(races, folder))
    parts += [section_of(result) for result in results]
    notes = None if folder is None else folder / "notes.md"
    if notes is not None and notes.is_file():
        parts.append(notes.read_text().strip())
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def machine(results: Sequence[Result]) -> str:
    """What the figures belong to; the last case that was run speaks for all."""
    if not results:
        return ""
    facts = results[-1].facts
    hardware = "; ".join(f"{name} {facts[name]}" for name in ENVIRONMENT if name in facts)
    others = {name: value for name, value in facts.items() if name not in (*ENVIRONMENT, "threads", "load before")}
    versions = ", ".join(f"{name} {version}" for name, version in others.items())
    return f"Machine: {hardware}.\n\nVersions: {versions}."


def goals_table(results: Sequence[Result]) -> str:
    """All comparisons that have a goal."""
    lines = [
        "| what | against | goal | reached (quartiles) | met | rounds | threads |",
        "|---|---|--:|--:|---|--:|--:|",
    ]
    for result in results:
        lines += [_goal_line(goal, result) for goal in result.goals if goal.factor is not None]
    return "## Goals\n\n" + "\n".join(lines)


def _goal_line(goal: Goal, result: Result) -> str:
    rounds, threads = len(result.figures[goal.ours]), result.facts.get("threads", "?")
    sign = "at most " if goal.share else ""
    met = MARK[goal.is_met(result.figures)]
    reached = goal.reached(result.figures)
    return f"| {goal.row} | {goal.peer} | {sign}{goal.factor:g}x | {reached} | {met} | {rounds} | {threads} |"


def section_of(result: Result) -> str:
    """One case: what was done, each candidate's figures, every comparison, the remarks, the plots."""
    lines = [f"## {result.title}", "", result.what, ""]
    lines += [f"| candidate | median, {result.unit} | least-most |", "|---|--:|--:|"]
    lines += [_figure_line(name, values, result.unit) for name, values in result.figures.items()]
    if result.goals:
        lines += ["", *(_comparison(goal, result) for goal in result.goals)]
    facts = result.facts
    lines += ["", f"Threads {facts.get('threads', '?')}, load before {facts.get('load before', '?')}."]
    lines += ["", *result.remarks] if result.remarks else []
    lines += [line for plot in result.plots for line in ("", f"![{result.title}]({plot})")]
    return "\n".join(lines)


def _figure_line(name: str, values: Sequence[float], unit: str) -> str:
    low, median, high = (show(value, unit) for value in (min(values), statistics.median(values), max(values)))
    return f"| {name} | {median} | {low}-{high} |"


def _comparison(goal: Goal, result: Result) -> str:
    reached = goal.reached(result.figures)
    if goal.share:
        return f"- {goal.row}: {goal.ours} takes {reached} of {goal.peer}"
    return f"- {goal.row}: {goal.peer} / {goal.ours} = {reached}"


def show(value: float, unit: str) -> str:
    """A figure with three digits.

    Example:
        >>> show(1.23456, "s"), show(0.0123, "s"), show(1234.5, "MiB")
        ('1.23', '0.0123', '1234')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table; the first row is its head."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|" + "---|" + "--:|" * (len(rows[0]) - 1)
    yield from ("| " + " | ".join(row) + " |" for row in rows[1:])
