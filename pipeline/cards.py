"""Small HTML for notebooks: a title, a table and a picture."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

from PIL import Image

LARGEST = 640  # pixels of a picture's long side


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; every text is escaped.

    Args:
        headings: Of the columns.
        rows: A value for each column.

    Example:
        >>> table(["class"], [["<b>"]])
        '<table><thead><tr><th>class</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{html.escape(one)}</th>" for one in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(image: Image.Image) -> str:
    """A picture inside the page, reduced to 640 pixels.

    Args:
        image: The picture.
    """
    small = image.convert("RGB")
    small.thumbnail((LARGEST, LARGEST))
    written = io.BytesIO()
    small.save(written, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}">'


def card(title: str, *parts: str) -> str:
    """A title above parts that are HTML already.

    Args:
        title: A text.
        parts: Such as tables and pictures.
    """
    return f"<div><p><b>{html.escape(title)}</b></p>{''.join(parts)}</div>"
