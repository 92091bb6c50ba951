"""The summary of a run as a web page."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from foveate.datasets.pages.page import paragraph, plain, render_page, section, table

PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>[^)]*)\)")
RULE = re.compile(r"\|[\s:|-]+\|")
CELL = re.compile(r"(?<!\\)\|")
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def page_of(summary: str, folder: Path) -> str:
    """A self-contained page of what `summary.md` says: headings, lists, tables and pictures.

    Args:
        summary: Its text.
        folder: Where its pictures are; those outside of it, and missing ones, are left out.
    """
    title, *rest = summary.splitlines()
    sections: list[str] = []
    heading: str = ""
    parts: list[str] = []
    for block in _blocks(rest):
        if block[0].startswith("## "):
            sections.append(section(heading, *parts) if heading else "".join(parts))
            heading, parts = block[0].removeprefix("## "), []
        else:
            parts.append(_part(block, folder))
    sections.append(section(heading, *parts) if heading else "".join(parts))
    return render_page(title.removeprefix("# "), (), sections)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Lines between empty ones."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _part(block: list[str], folder: Path) -> str:
    if block[0].startswith("|"):
        head, *rows = [_cells(line) for line in block if not RULE.fullmatch(line)]
        return table(head, rows)
    if found := PICTURE.fullmatch(block[0].strip()):
        return _picture(found["text"], folder, found["path"])
    if block[0].startswith("- "):
        return "<ul>" + "".join(f"<li>{plain(line.removeprefix('- '))}</li>" for line in block) + "</ul>"
    return paragraph(" ".join(block))


def _cells(line: str) -> list[str]:
    cells = CELL.split(line.strip()[1:-1])
    return [cell.strip().replace("\\|", "|").removeprefix("**").removesuffix("**") for cell in cells]


def _picture(text: str, folder: Path, name: str) -> str:
    path = (folder / name).resolve()
    kind = KINDS.get(path.suffix.lower())
    if kind is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(text)}" style="max-width: 100%" src="data:image/{kind};base64,{data}">'
