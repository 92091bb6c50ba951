"""Images without mask, and masks without image: listed with counts, never left out in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foveate.datasets.errors import UnpairedError
from foveate.datasets.folders.joining import Joined
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.places import understand_folder
from foveate.datasets.text import few


def report_unpaired(root: Path, joined: Joined, options: FolderOptions) -> list[str]:
    """Lines on files without partner.

    Images of a test split without any mask are no fault.

    Args:
        root: The data set's folder.
        joined: All pairs, and what was left over.
        options: What the user says.

    Raises:
        UnpairedError: Files have no partner, and they are not to be skipped.
    """
    labelled_test = "test" in joined.splits
    alone = [path for path in joined.lonely_images if labelled_test or not _is_test(path)]
    unlabelled = len(joined.lonely_images) - len(alone)
    lines = [f"{unlabelled} images of test have no masks and are not used"] if unlabelled else []
    parts = [(alone, "images have no mask"), (joined.lonely_masks, "masks have no image")]
    faults = [f"{len(paths)} {what}: {few(paths)}" for paths, what in parts if paths]
    if faults and options.unpaired == "error":
        message = (
            f"{root}: {'; '.join(faults)}. Files were paired {joined.rule.how}; to leave these out: "
            "--data.unpaired skip"
        )
        raise UnpairedError(message, _below(root, alone), _below(root, joined.lonely_masks), {})
    if joined.left_out:
        faults.append(f"{len(joined.left_out)} files that do not fit: {few(joined.left_out, 2)}")
    return [*lines, *(f"left out: {fault}" for fault in faults)]


def _below(root: Path, paths: Sequence[str]) -> list[str]:
    return [str(root / path) for path in paths]


def _is_test(path: str) -> bool:
    return understand_folder(path.rpartition("/")[0], ()).split == "test"
