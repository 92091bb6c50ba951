"""Writes the figures of a command as JSON, to a file or to standard output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.files import write_text
from foveate.pipeline.json_option import STDOUT
from foveate.plugins.output import diverted, print_json, to_json

__all__ = ["STDOUT", "answer", "kept_free", "write_figures"]


def answer(json: str | None, find: Callable[[], Mapping[str, Any] | None]) -> None:
    """Do what a command does, and write its figures where --json says.

    Args:
        json: A file; `-` for standard output, to which nothing else goes then; None for no figures.
        find: Does it, prints what people read, and returns the figures; None where there are none.

    Raises:
        UnusableDataError: The file cannot be written.
    """
    with kept_free(json):
        figures = find()
    if json is not None and figures is not None:
        write_figures(figures, json)


def kept_free(json: str | None) -> AbstractContextManager[None]:
    """A context manager in which nothing gets to standard output if that is where the figures go.

    Args:
        json: Where they go; see `answer`.
    """
    return diverted() if json == STDOUT else nullcontext()


def write_figures(figures: Mapping[str, Any], target: str) -> None:
    """Write figures as JSON, with the version of their schema before them.

    Args:
        figures: What JSON can hold.
        target: A file, or `-` for standard output.

    Raises:
        UnusableDataError: The file cannot be written.
    """
    if target == STDOUT:
        print_json(figures)
        return
    try:
        write_text(Path(target).expanduser(), to_json(figures) + "\n")
    except OSError as error:
        raise UnusableDataError(f"{target}: cannot be written: {error}") from error
