"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def heading(text: str, level: int = 1) -> str:
    """A heading and an empty line."""
    return f"{'#' * level} {text}\n\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines) + "\n"


def block(text: str, language: str = "text") -> str:
    """A block of code or output."""
    return f"```{language}\n{text.rstrip()}\n```\n\n"


def contents(names: Iterable[str]) -> str:
    """The pages below a page, which the side bar lists."""
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"
