"""Puts a page together from its parts; every text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from foveate.datasets.pages.style import STYLE

LIMIT = 5_000_000  # bytes of a page, whatever the size of the data set
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
ICON = '<link rel="icon" href="data:,">'  # else a browser asks for favicon.ico, and reports that there is none
RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Bar:
    """One bar of a chart.

    Attributes:
        name: What it stands for.
        share: Its length, 0 to 1.
        text: What is written behind it.
        colour: Colour of a square before the name, or none.
    """

    name: str
    share: float
    text: str
    colour: RGB | None = None


def render_page(title: str, facts: Iterable[str], sections: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: Its heading.
        facts: Lines below the heading.
        sections: HTML, from the functions below.
    """
    said = "".join(f'<p class="soft">{plain(fact)}</p>' for fact in facts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{VIEWPORT}{ICON}<title>{plain(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{plain(title)}</h1>{said}{''.join(sections)}</body></html>\n"
    )


def plain(text: object) -> str:
    """A text as HTML; bytes of file names that are no text are shown as escapes.

    Example:
        >>> plain("a < b")
        'a &lt; b'
    """
    return escape(str(text).encode("utf-8", "backslashreplace").decode())


def section(heading: str, *parts: str) -> str:
    """A heading, and HTML below it.

    Args:
        heading: Its text.
        parts: HTML.
    """
    return f"<h2>{plain(heading)}</h2>{''.join(parts)}"


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{plain(text)}</p>"


def code(text: str) -> str:
    """Lines to copy."""
    return f"<pre>{plain(text)}</pre>"


def card(kind: str, heading: str, *parts: str) -> str:
    """A box with a coloured edge.

    Args:
        kind: error, warning or info; the first word of the heading.
        heading: What follows that word.
        parts: HTML.
    """
    return f'<div class="card {plain(kind)}"><h3><b>{plain(kind)}</b> {plain(heading)}</h3>{"".join(parts)}</div>'


def folded(summary: str, lines: Sequence[str]) -> str:
    """Lines that are shown after a click.

    Args:
        summary: What is shown at first.
        lines: The lines.
    """
    return f"<details><summary>{plain(summary)}</summary>{code(chr(10).join(lines))}</details>" if lines else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; the first column to the left, the others to the right.

    Args:
        headings: Of the columns.
        rows: A value for each column.
    """
    head = "".join(f"<th>{plain(text)}</th>" for text in headings)
    body = "".join("<tr>" + "".join(f"<td>{plain(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def bars(items: Iterable[Bar]) -> str:
    """A chart of horizontal bars.

    Args:
        items: The bars, from top to bottom.
    """
    return f'<div class="bars">{"".join(map(_bar, items))}</div>'


def _bar(bar: Bar) -> str:
    colour = "" if bar.colour is None else f'<b style="background: rgb{bar.colour}"></b>'
    width = 100 * min(1.0, max(0.0, bar.share))
    return f'<span>{colour}{plain(bar.name)}</span><i style="width: {width:.2f}%"></i><span>{plain(bar.text)}</span>'
