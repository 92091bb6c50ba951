"""`foveate data check`: the doctor of data sets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.writing import write_whole
from foveate.pipeline.answering import STDOUT, write_figures
from foveate.plugins.selection import split_names

if TYPE_CHECKING:
    from foveate.datasets.doctor.report import Report

AUTO = "auto"
NO_PAGE = "none"
PAGE = ".foveate/check.html"  # in the data set's folder
LIST = ".foveate/check.txt"  # beside it


def check(
    target: str,
    dataset: str = AUTO,
    labels: str | None = None,
    ignore: int | list[int] | None = None,
    only: str = "",
    skip: str = "",
    fast: bool = False,
    json: str | None = None,
    page: str | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Read every file of a data set, and list what would spoil a training; exit code 3 if there is such a fault.

    Example: foveate data check ~/cityscapes

    Args:
        target: The data set's folder, or a recipe.
        dataset: Which data set it is (foveate plugins list --what data); auto finds it by the folders.
        labels: Which label files of Cityscapes to read, as --data.labels says in a training.
        ignore: Ids in the label files that are ignored, as --data.ignore says in a training.
        only: Comma-separated checks or families of checks to run, such as labels,splits.same.
        skip: Comma-separated checks or families to leave out.
        fast: Read the headers of all files and 60 label maps of each split, and decode no image.
        json: File for all that was found, paths in full; - prints it, and everything else goes to stderr.
        page: File for the page with pictures; .foveate/check.html in the data set's folder if not given, none for none.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    from foveate.pipeline.commands.open_data import open_named

    with redirect_stdout(sys.stderr) if json == STDOUT else nullcontext():
        chosen = _choose(only, skip)
        data = open_named(target, dataset, {"labels": labels, "ignore": ignore}, flags)
        report = _diagnose(data, chosen, fast)
        _tell(report, data, page)
    if json is not None:
        _write_json(report, json)
    _conclude(report, json == STDOUT)


def _choose(only: str, skip: str) -> list[Any]:
    from foveate.datasets.doctor.check import choose
    from foveate.datasets.doctor.registry import CHECKS

    chosen = choose(CHECKS, split_names(only), split_names(skip))
    if not chosen:
        raise DataConfigError("--only and --skip leave no check")
    return chosen


def _diagnose(data: Any, checks: list[Any], fast: bool) -> Report:
    from foveate.datasets.doctor.collect import FAST, WHOLE
    from foveate.datasets.doctor.doctor import diagnose
    from foveate.datasets.progress import bars

    with bars() as progress:
        return diagnose(data, checks, FAST if fast else WHOLE, progress)


def _tell(report: Report, data: Any, page: str | None) -> None:
    from foveate.datasets.doctor.report import text_lines

    for line in text_lines(report, _list_all(report, data)):
        print(line)
    if page != NO_PAGE:
        _write_page(report, data, page)


def _list_all(report: Report, data: Any) -> str:
    """Write every file of every finding to a list, if not all are printed; says where."""
    from foveate.datasets.doctor.report import all_paths, is_cut

    if not any(map(is_cut, report.findings)):
        return ""
    path = data.existing_root() / LIST
    try:
        write_whole(path, "".join(f"{line}\n" for line in all_paths(report)).encode("utf-8", "surrogateescape"))
    except OSError:
        return "--json FILE"
    return str(path)


def _write_page(report: Report, data: Any, page: str | None) -> None:
    from foveate.datasets.doctor.page import render

    path = Path(page).expanduser() if page is not None else data.existing_root() / PAGE
    try:
        write_whole(path, render(report, data).encode())
    except OSError as error:
        if page is not None:
            raise DataError(f"{path}: cannot be written: {error}") from error
        print(f"no page with pictures: {path} cannot be written ({error.strerror}); give --page FILE")
        return
    print(f"pictures of what was found: {path}")


def _write_json(report: Report, target: str) -> None:
    from foveate.datasets.doctor.report import as_json

    write_figures(as_json(report), target)


def _conclude(report: Report, quietly: bool) -> None:
    """Raise an error if there is a fault, and say so if there is none."""
    from foveate.datasets.doctor.finding import Severity
    from foveate.datasets.doctor.report import verdict

    if report.count(Severity.ERROR):
        raise DataError(verdict(report))
    print(verdict(report), file=sys.stderr if quietly else sys.stdout)
