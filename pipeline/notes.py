"""Lines about what is going on; standard output holds results alone."""

from __future__ import annotations

import sys


def note(line: str) -> None:
    """Print a line about what is going on, to standard error.

    Args:
        line: The line.
    """
    print(line, file=sys.stderr, flush=True)
