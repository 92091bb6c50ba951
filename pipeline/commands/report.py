"""The command `foveate report`: one page about runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import parse_options
from foveate.pipeline.commands.compare_runs import split_runs
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
        json: File for where the page is and what it shows, or - for standard output, also without a value.
    """

    out: Path | None = None
    json: str | None = None


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate report`.

    Raises:
        ConfigError: No run is given, or one twice.
    """
    runs, rest = split_runs(words)
    asked = rest if words else ["--help"]
    options = parse_options("foveate report [RUN ...]", ReportOptions, asked) if asked else ReportOptions()
    if not runs or len(set(runs)) < len(runs):
        raise ConfigError(f"report takes one run or several, each once, not {', '.join(runs) or 'none'}")
    answer(options.json, lambda: _report(runs, options.out))


def _report(runs: Sequence[str], out: Path | None) -> dict[str, Any]:
    """Write the page."""
    from foveate.pipeline.reporting.collect import collect  # late: they import torch
    from foveate.pipeline.reporting.page import render_report

    found = [collect(Path(given)) for given in runs]
    path = out or (found[0].run / PAGE if len(found) == 1 else Path(PAGE))
    _write(path.expanduser(), render_report(found))
    print(f"report: {path}", flush=True)
    return {"page": str(path), "runs": [str(one.run) for one in found]}


def _write(path: Path, page: str) -> None:
    from foveate.pipeline.files import write_text

    try:
        write_text(path, page)
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error}") from error
