"""`foveate plugins`: what is installed."""

from __future__ import annotations

import sys

from foveate.plugins.manager import installed_plugins


def list_blocks() -> None:
    """List the attention blocks: name, kind, paper, who provides it, and what it does.

    Example: foveate plugins list
    """
    from rich.console import Console  # late: only the table needs it
    from rich.table import Table

    manager = installed_plugins()
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "paper", "provided by", "what it does"):
        table.add_column(heading, no_wrap=heading != "what it does")
    for offer in manager.offers:
        block = offer.block
        table.add_row(block.name, block.kind, block.paper or "-", str(offer.provider), block.summary)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for fault in manager.faults:
        Console(stderr=True).print(f"left out: {fault}", markup=False)


COMMANDS = {"list": list_blocks}
