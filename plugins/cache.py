"""The folder for what Foveate keeps between commands: weights, compiled kernels, shards, verdicts on plugins."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder that FOVEATE_CACHE names, else foveate/ in the user's cache folder (XDG_CACHE_HOME).

    Raises:
        RuntimeError: The user has no home folder.
    """
    if given := os.environ.get("FOVEATE_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foveate"
