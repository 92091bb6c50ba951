"""Says what is wrong with a checkpoint file, without unpickling anything."""

from __future__ import annotations

from pathlib import Path

from foveate.pipeline.identification import what_else
from foveate.pipeline.runs.manifest import entry_of, has_entry


def fault_of(path: Path) -> str | None:
    """What is wrong with a checkpoint: cut, changed, or of another kind; None if nothing was found.

    With a manifest beside it, the file must have the size and hash that were written. Without one, the checksums that
    torch stores for each tensor must hold.

    Args:
        path: The file.
    """
    try:
        size = path.stat().st_size
        fault = what_else(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if fault is None and has_entry(path) and entry_of(path) is None:
        fault = "its content is not what was written (see manifest.json beside it)"
    return None if fault is None else f"damaged or no checkpoint ({size} bytes): {fault}"
