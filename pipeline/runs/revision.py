"""The git revision of the folder that a command runs in."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0  # seconds; on network file systems a status may take long


@dataclass(frozen=True)
class Revision:
    """A git revision.

    Attributes:
        commit: Its hash.
        dirty: Whether tracked files differ from it; None if git did not answer in time.
    """

    commit: str
    dirty: bool | None


def find_revision(folder: Path) -> Revision | None:
    """The revision of the repository that a folder belongs to; None without a repository, a commit or git.

    Args:
        folder: The folder.
    """
    commit = _ask(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    changes = _ask(folder, "status", "--porcelain", "--untracked-files=no")
    return Revision(commit.strip(), None if changes is None else bool(changes.strip()))


def _ask(folder: Path, *words: str) -> str | None:
    """What git says; None if it fails. It takes no locks, since other commands may run beside it."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        said = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.decode(errors="replace")
