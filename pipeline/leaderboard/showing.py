"""What `foveate leaderboard show` does."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from foveate.pipeline.errors import FoveateError
from foveate.pipeline.files import write_text
from foveate.pipeline.leaderboard.checks import check_itself
from foveate.pipeline.leaderboard.columns import as_values, cells_of, headings
from foveate.pipeline.leaderboard.document import render_document
from foveate.pipeline.leaderboard.page import render_leaderboard
from foveate.pipeline.leaderboard.protocol import Protocol, find_protocol
from foveate.pipeline.leaderboard.record import Record, published, read_records
from foveate.pipeline.leaderboard.standings import Table, make_tables
from foveate.pipeline.leaderboard.wording import state_of
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block

OURS = "foveate"
SHOWN = ("block", "seeds", "gain over none (95 %)", "step ratio", "MMACs", "parameters")  # on a terminal, and the score


def consistent(protocol: Protocol, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records that are consistent in themselves, and a line about each that is not.

    Args:
        protocol: The protocol.
        records: The records.
    """
    kept, refused = [], []
    for record in records:
        try:
            check_itself(record, protocol)
            kept.append(record)
        except FoveateError as error:
            refused.append(f"left out: {error}")
    return kept, refused


def show_tables(
    protocol: str, folder: Path, page: str | None, markdown: str | None, *, published: bool = True
) -> Iterator[str]:
    """Lines to print, and files to write.

    Args:
        protocol: Version of the protocol, or a file.
        folder: Of one's own records.
        page: HTML file to write.
        markdown: Markdown file to write.
        published: Whether the records that come with Foveate are shown too.
    """
    rules = find_protocol(protocol)
    records, refused = consistent(rules, read_records([*_published(published), folder]))
    yield from refused
    tables = make_tables(rules, records, own_blocks() if published else ())
    yield state_of(rules, tables)
    for table in tables:
        if table.standings:
            yield _as_text(table)
    for path, render in ((page, render_leaderboard), (markdown, render_document)):
        if path is not None:
            write_text(Path(path).expanduser(), render(rules, tables))
            yield f"written: {path}"


def figures_of_tables(protocol: str, folder: Path, *, published: bool = True) -> dict[str, Any]:
    """The tables, for a program.

    Args:
        protocol: Version of the protocol, or a file.
        folder: Of one's own records.
        published: Whether the records that come with Foveate are among them.
    """
    rules = find_protocol(protocol)
    records, refused = consistent(rules, read_records([*_published(published), folder]))
    tables = make_tables(rules, records, own_blocks() if published else ())
    return {"tables": [as_values(table) for table in tables], "left_out": refused}


def own_blocks() -> list[str]:
    """The blocks that come with Foveate, each of which should have records."""
    offers = installed_plugins().of_kind(Block)
    return [offer.record.name for offer in offers if offer.provider.distribution == OURS]


def _published(wanted: bool) -> list[Path]:
    return [published()] if wanted else []


def _as_text(table: Table) -> str:
    names = headings(table)
    shown = [place for place, name in enumerate(names) if name in SHOWN or place == 1]
    grid = RichTable(title=table.name, title_justify="left", box=None, pad_edge=False)
    for place in shown:
        grid.add_column(names[place], justify="right" if place else "left", no_wrap=True)
    for one in table.standings:
        texts = [cell.text for cell in cells_of(one, table)]
        grid.add_row(*(texts[place] for place in shown))
    out = io.StringIO()
    Console(file=out, width=200).print(grid, markup=False)
    return out.getvalue().rstrip() + "\n"
