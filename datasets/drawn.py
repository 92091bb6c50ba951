"""Masks that are drawn once from the annotations of a tool, and kept beside the data set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from foveate.datasets.annotations.importing import import_set, is_background
from foveate.datasets.annotations.reading import detect_format, read_annotations
from foveate.datasets.errors import DataError
from foveate.datasets.packed.folder import HOME
from foveate.datasets.progress import bar

log = logging.getLogger(__name__)


def draw_masks(root: Path, cache_dir: Path | None, classes: Sequence[str] | None) -> Path | None:
    """A folder with the images of a data set and masks that are drawn from its annotations; None if it has none.

    A second call draws what has changed only.

    Args:
        root: The data set's folder.
        cache_dir: Folder to write to; `.foveate` in the root if not given.
        classes: The classes to draw, in this order; all if not given.

    Raises:
        DataError: The annotations are damaged, images are missing, or nothing can be written.
    """
    found = detect_format(root)
    if found is None:
        return None
    annotations = read_annotations(root, found)
    drawn = [name for name in classes if not is_background(name)] if classes is not None else None
    out = (cache_dir or root / HOME) / f"drawn-{found}"
    with bar(f"drawing masks of {found}") as advance:
        try:
            imported = import_set(
                annotations, root, out, classes=drawn, progress=lambda what, done, total: advance(done, total)
            )
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}; give --data.cache_dir DIR") from error
    log.info("%s: annotations of %s; masks are drawn in %s", root, found, out)
    for note in imported.notes:
        log.info("%s", note)
    return out
