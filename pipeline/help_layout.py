"""Help that fits the terminal: names beside what they mean, and commands that stay correct when they are copied."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable

LEAST = 30  # characters beside a name, below which its meaning stands on lines of its own
NARROWEST = 40


def terminal_width() -> int | None:
    """Characters of a line of the terminal (or COLUMNS); None for a file or a pipe, whose lines are not broken."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return max(NARROWEST, int(given))
    try:
        return max(NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns) if sys.stdout.isatty() else None
    except (OSError, ValueError):
        return None


def columns(rows: Iterable[tuple[str, str]], name_width: int, width: int | None) -> list[str]:
    """Names and meanings as two columns; where too little is left beside the names, the meanings below them.

    Args:
        rows: The names and meanings.
        name_width: Width of the first column.
        width: Of the terminal; None for any.

    Example:
        >>> columns([("--out DIR", "where to write the results")], 12, 30)
        ['  --out DIR', '      where to write the', '      results']
    """
    lines: list[str] = []
    beside = 2 + name_width
    for name, meaning in rows:
        if width is None:
            lines.append(f"  {name:<{name_width}}{meaning}")
        elif width - beside >= LEAST:
            first, *more = fold(meaning, width - beside) or [""]
            lines += [f"  {name:<{name_width}}{first}", *(" " * beside + line for line in more)]
        else:
            lines += [f"  {line}" for line in fold(name, width - 2)]
            lines += [f"      {line}" for line in fold(meaning, width - 6)]
    return lines


def fold(text: str, width: int | None) -> list[str]:
    """A text in lines; words are not broken.

    Args:
        text: The text.
        width: Longest line; None for any.
    """
    if width is None:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def fold_command(command: str, indent: int, width: int | None) -> list[str]:
    r"""A command in lines that end with a backslash where it goes on, so that it may be copied.

    Args:
        command: The command.
        indent: Characters before it.
        width: Of the terminal; None for any.

    Example:
        >>> print("\n".join(fold_command("foveate fit --config x --data.root y", 2, 26)))
          foveate fit \
              --config x \
              --data.root y
    """
    start = " " * indent
    if width is None or indent + len(command) <= width:
        return [start + command]
    command, _, comment = command.partition(" # ")
    first, *rest = fold(command, width - indent - 6)
    *before, last = [start + first, *(f"{start}    {line}" for line in rest)]
    return [*(f"{line} \\" for line in before), last, *([f"{start}# {comment.strip()}"] if comment else [])]
