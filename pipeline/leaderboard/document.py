"""The leaderboard as Markdown: docs/leaderboard.md is written by `foveate leaderboard show`."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.leaderboard.columns import cells_of, headings
from foveate.pipeline.leaderboard.protocol import Protocol
from foveate.pipeline.leaderboard.standings import DETECT, Table
from foveate.pipeline.leaderboard.wording import (
    BEGINNING,
    COLUMNS,
    describe_track,
    how_to,
    machines,
    state_of,
    what_it_shows,
)
from foveate.pipeline.text import markdown_table

CLASS_DIGITS = 1


def render_document(protocol: Protocol, tables: Sequence[Table]) -> str:
    """The whole text.

    Args:
        protocol: The protocol.
        tables: Its tables.
    """
    lines = ["# The leaderboard", "", BEGINNING, "", state_of(protocol, tables), ""]
    for table in tables:
        lines += [f"## {table.name}", "", describe_track(table.track), "", *_table(table), ""]
    lines += ["## What the columns say", "", *(f"* {line}" for line in COLUMNS), ""]
    lines += ["## What this can show, and what it cannot", "", *what_it_shows(protocol, DETECT), ""]
    lines += ["## Each class", ""]
    for table in tables:
        lines += _classes(table) if table.standings else []
    lines += [*how_to(protocol), ""]
    lines += [f"Machines of these records: {machines(tables)}.", ""] if any(t.standings for t in tables) else []
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    missing = [f"Missing: {'; '.join(table.missing)}."] if table.missing else []
    if not table.standings:
        return missing or ["No records yet."]
    rows = [[cell.text for cell in cells_of(one, table)] for one in table.standings]
    return [*markdown_table(headings(table), rows), *([""] if missing else []), *missing]


def _classes(table: Table) -> list[str]:
    what = "IoU" if table.track.score == "mIoU" else "share of its images that are found"
    rows = [
        [one.label, *(f"{100 * one.mean_of_class(name):.{CLASS_DIGITS}f}" for name in table.classes)]
        for one in table.standings
    ]
    return [
        f"{table.name}: {what} of each class in %, mean over the seeds.",
        "",
        *markdown_table(["block", *table.classes], rows),
        "",
    ]
