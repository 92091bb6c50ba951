"""An error about many files: counted in one line, and each file named in the lines before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foveate.datasets.errors import DataError


class FilesError(DataError):
    """Files do not fit.

    Args:
        message: What is wrong, with counts, and what to do.
        lines: Every file that is concerned.
    """

    def __init__(self, message: str, lines: Sequence[str]) -> None:
        super().__init__(message)
        self.lines = lines


def refuse(where: str, faults: Mapping[str, Sequence[str]], advice: str) -> None:
    """Raise an error if there are faults.

    Args:
        where: What was looked at.
        faults: Kind of fault -> the files.
        advice: What to do.

    Raises:
        FilesError: There are faults.
    """
    found = {kind: files for kind, files in faults.items() if files}
    if not found:
        return
    counts = ", ".join(f"{len(files)} {kind}" for kind, files in found.items())
    lines = [f"{kind}: {file}" for kind, files in found.items() for file in files]
    raise FilesError(f"{where}: {counts} (each is named above). {advice}", lines)
