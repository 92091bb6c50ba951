"""Writes RESULTS.md: one table of goals, then a section a case, then what people wrote in notes.md."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foveate.benchmarks.results import Goal, Result

HEAD = """# Measured against peers

Written by `make bench`; do not edit (what people wrote is in `notes.md`). In each comparison the candidates ran in
turn in one process, A B C A B C ..., so that a busy machine slows them alike. A ratio is the median of the rounds'
ratios, with their quartiles; single times are told for orientation only.
"""
MARK = {True: "yes", False: "no", None: ""}
ENVIRONMENT = ("processor", "cores", "memory", "gpu", "driver", "system", "kernels", "python")
OF_ONE_CASE = ("threads", "load before")
Facts = Mapping[str, Any]


def write(results: Sequence[Result], folder: Path | None) -> str:
    """The whole report.

    Args:
        results: Of the cases that were run.
        folder: Where race.md (the race's table) and notes.md may lie; None for a machine that they do not tell of.
    """
    most = commonest(results)
    parts = [HEAD, machine(most), goals_table(results), _text(folder, "race.md")]
    parts += [section_of(result, most) for result in results]
    parts.append(_text(folder, "notes.md"))
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _text(folder: Path | None, name: str) -> str:
    path = None if folder is None else folder / name
    return path.read_text() if path is not None and path.is_file() else ""


def commonest(results: Sequence[Result]) -> Facts:
    """The machine and the versions of most results, which the head of the report tells."""
    kinds = Counter(tuple(belonging(result.facts).items()) for result in results)
    return dict(kinds.most_common(1)[0][0]) if kinds else {}


def belonging(facts: Facts) -> dict[str, str]:
    """The facts that are the same for all cases of a run."""
    return {name: value for name, value in facts.items() if name not in OF_ONE_CASE}


def machine(facts: Facts) -> str:
    """What the figures belong to.

    Example:
        >>> machine({"processor": "P", "torch": "2.14"})
        'Machine: processor P.\\n\\nVersions: torch 2.14.'
    """
    if not facts:
        return ""
    return f"Machine: {_told(facts, hardware=True)}.\n\nVersions: {_told(facts, hardware=False)}."


def _told(facts: Facts, *, hardware: bool) -> str:
    named = [name for name in ENVIRONMENT if name in facts] if hardware else [n for n in facts if n not in ENVIRONMENT]
    return ("; " if hardware else ", ").join(f"{name} {facts[name]}" for name in named)


def apart(facts: Facts, most: Facts) -> str:
    """Where a case was measured, if not where most were: what differs.

    Example:
        >>> apart({"processor": "P", "torch": "2.15"}, {"processor": "P", "torch": "2.14"})
        'Measured apart from most: torch 2.15.'
        >>> apart({"processor": "P"}, {"processor": "P"})
        ''
    """
    differs = {name: value for name, value in belonging(facts).items() if most.get(name) != value}
    told = [text for hardware in (True, False) if (text := _told(differs, hardware=hardware))]
    return f"Measured apart from most: {'; '.join(told)}." if told else ""


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


def section_of(result: Result, most: Facts) -> str:
    """One case: what was done, each candidate's figures, every comparison, the remarks, the plots."""
    lines = [f"## {result.title}", "", result.what, ""]
    lines += [f"| candidate | median, {result.unit} | least-most |", "|---|--:|--:|"]
    lines += [_figure_line(name, values, result.unit) for name, values in result.figures.items()]
    if result.goals:
        lines += ["", *(_comparison(goal, result) for goal in result.goals)]
    facts = result.facts
    lines += ["", f"Threads {facts.get('threads', '?')}, load before {facts.get('load before', '?')}."]
    remarks = [text for text in (apart(facts, most), *result.remarks) if text]
    lines += ["", *remarks] if remarks else []
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
