"""Tables on the terminal. Rich is imported late: only what draws a table needs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def plain(text: str) -> str:
    """Text in which brackets are no markup."""
    from rich.markup import escape

    return escape(text)


def create_table(*headings: str, wide: str = "", heading: bool = True) -> Table:
    """Columns side by side; only the `wide` one is broken into lines."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=heading)
    for text in headings:
        table.add_column(text, no_wrap=text != wide)
    return table


def create_console(*, stderr: bool = False) -> Console:
    """Where a table is printed: as wide as the terminal, or 160 characters into a file."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(width=None if stream.isatty() else 160, stderr=stderr)
