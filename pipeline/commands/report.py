"""The command `foveate report`: one page about runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.pipeline.command_line import parse_options
from foveate.pipeline.errors import ConfigError, MachineError

PAGE = "report.html"


@dataclass(frozen=True)
class ReportOptions:
    """Write one page about a run: recipe, curves, scores with intervals, where it fails, its worst and best images.

    Each RUN is a run directory or a checkpoint in one. Of several runs, everything is shown side by side, with the
    differences of the scores to the first. The page is one file, needs no network, and is written from files of the
    runs alone: nothing is evaluated again.

    Example: foveate report runs/latest

    Args:
        out: The file; report.html in the run directory if not given, of several runs in this folder.
    """

    out: Path | None = None


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate report`.

    Raises:
        ConfigError: No run is given, or one twice.
    """
    runs = [word for place, word in enumerate(words) if not word.startswith("-") and not _is_value(words, place)]
    rest = [word for word in words if word not in runs]
    asked = rest if words else ["--help"]
    options = parse_options("foveate report [RUN ...]", ReportOptions, asked) if asked else ReportOptions()
    if not runs or len(set(runs)) < len(runs):
        raise ConfigError(f"report takes one run or several, each once, not {', '.join(runs) or 'none'}")
    from foveate.pipeline.reporting.collect import collect  # late: they import torch
    from foveate.pipeline.reporting.page import render_report

    found = [collect(Path(given)) for given in runs]
    path = options.out or (found[0].run / PAGE if len(found) == 1 else Path(PAGE))
    _write(path.expanduser(), render_report(found))
    print(f"report: {path}", flush=True)


def _is_value(words: Sequence[str], place: int) -> bool:
    return place > 0 and words[place - 1] == "--out"


def _write(path: Path, page: str) -> None:
    from foveate.pipeline.files import write_text

    try:
        write_text(path, page)
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error}") from error
