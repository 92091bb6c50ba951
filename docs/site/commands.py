"""A page for every command, with its help as the command prints it."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest.mock import patch

from foveate.cli import COMMANDS, main
from foveate.docs.site.text import block, contents, heading, table

WIDTH = "84"  # characters


def write(reference: Path) -> None:
    """Write an index and a page for each command.

    Args:
        reference: The folder of the reference; a folder `commands` is made in it.
    """
    folder = reference / "commands"
    folder.mkdir(parents=True)
    for name in COMMANDS:
        text = section([name], 1) + "".join(section([name, part], 2) for part in sub_commands(name))
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    rows = [(f"[{name}]({name}.md)", one.summary, f"`{one.example}`") for name, one in COMMANDS.items()]
    (folder / "index.md").write_text(
        heading("Commands") + table(("command", "purpose", "example"), rows) + contents(COMMANDS), encoding="utf-8"
    )


def section(words: list[str], level: int) -> str:
    """A heading with the help below it."""
    return heading(f"foveate {' '.join(words)}", level) + block(help_of(words))


def sub_commands(name: str) -> list[str]:
    """The words that may follow a command, such as `list` after `foveate plugins`."""
    target = COMMANDS[name].target
    if target is None:
        return []
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(f"foveate.{module}"), attribute)
    return list(found) if isinstance(found, Mapping) else []


def help_of(words: list[str]) -> str:
    """What `foveate WORDS --help` prints in a terminal as wide as a page of the site."""
    printed = io.StringIO()
    with patch.dict(os.environ, COLUMNS=WIDTH), redirect_stdout(printed), suppress(SystemExit):
        main([*words, "--help"])
    return printed.getvalue()
