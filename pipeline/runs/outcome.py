"""What a training left, for programs: its checkpoints and their scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foveate.pipeline.runs.directories import CHECKPOINTS

KEPT = ("best", "last")


def figures_of_run(run: Path) -> dict[str, Any]:
    """What `foveate fit --json` gives.

    Args:
        run: The run directory.

    Returns:
        `run`, its folder; `checkpoints`, the files that are there, by `best` and `last`; `scores`, what the score files
        of these hold, null where there is none.
    """
    files = {which: run / CHECKPOINTS / f"{which}.ckpt" for which in KEPT}
    return {
        "run": str(run),
        "checkpoints": {which: str(path) for which, path in files.items() if path.is_file()},
        "scores": {which: _read(run / f"val-{which}.json") for which in KEPT},
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
