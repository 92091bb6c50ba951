"""A folder of checkpoints: written so that a kill at any moment leaves a good one, and searched by step.

`last.ckpt` is replaced only after the new file was verified, and the file before it stays as `previous.ckpt`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from foveate.pipeline.files import draft_name, replacing
from foveate.pipeline.runs.integrity import fault_of
from foveate.pipeline.runs.manifest import Entry, describe_file, read_manifest, write_manifest

LAST, BEST, PREVIOUS = "last.ckpt", "best.ckpt", "previous.ckpt"
KEPT = 2  # entries of a file in the manifest: the one that is there, and the one that takes its place
ANY_DRAFT = draft_name("*") + "*"


@contextmanager
def storing(path: Path, step: int) -> Iterator[Path]:
    """Give a draft to write a checkpoint to; once it was verified, it takes the place of `path`.

    Args:
        path: The checkpoint.
        step: Optimiser steps of its weights.

    Raises:
        OSError: It cannot be written, or what was written is damaged. The file at `path` is then what it was before.
    """
    with replacing(path) as draft:
        yield draft
        if fault := fault_of(draft):
            raise OSError(f"{path}: what was written is {fault}")
        known = read_manifest(path.parent)
        old = known.get(path.name, [])
        known[path.name] = [describe_file(draft, step), *old][:KEPT]
        if path.name == LAST and path.is_file():
            known[PREVIOUS] = [*old, *known.get(PREVIOUS, [])][: 2 * KEPT]
        write_manifest(path.parent, _present(known, path))
        if path.name == LAST:
            _keep(path, path.with_name(PREVIOUS))


def _present(entries: Mapping[str, list[Entry]], coming: Path) -> dict[str, list[Entry]]:
    """Without files that were removed since."""
    folder, soon = coming.parent, (coming.name, PREVIOUS)
    return {name: listed for name, listed in entries.items() if name in soon or (folder / name).is_file()}


def _keep(path: Path, under: Path) -> None:
    """Give a file a second name, at no cost in space; on a file system without links, the second name only."""
    if not path.is_file():
        return
    link = under.with_name(f"{draft_name(under.name)}{os.getpid()}")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        link.replace(under)
        link.unlink(missing_ok=True)  # rename does nothing where both names are of one file already
    except OSError:
        path.replace(under)


def newest_good(folder: Path, besides: Path | None = None) -> Path | None:
    """The undamaged checkpoint to go on from; None if there is none.

    That is last.ckpt, or else the one of most steps up to those of last.ckpt. Those of more steps come after them: they
    were left behind when a training went on from an earlier checkpoint. Time stamps do not count: clocks differ, and
    copying changes them.

    Args:
        folder: The folder of the checkpoints.
        besides: A file that is not to be returned.
    """
    limit = step_of(folder / LAST)

    def order(path: Path) -> tuple[bool, bool, int, bool]:
        step = step_of(path)
        known = -1 if step is None else step
        return path.name == LAST, limit is None or known <= limit, known, path.name == PREVIOUS

    listed = {folder / name for name in (*read_manifest(folder), LAST, PREVIOUS, BEST)}
    candidates = sorted((path for path in listed if path.is_file() and path != besides), key=order, reverse=True)
    return next((path for path in candidates if fault_of(path) is None), None)


def step_of(path: Path) -> int | None:
    """The step of a checkpoint, by the manifest; None if it says nothing of the file.

    Args:
        path: The checkpoint.
    """
    entries = read_manifest(path.parent).get(path.name, [])
    size = path.stat().st_size if path.is_file() else -1
    return next((entry.step for entry in entries if entry.size == size), entries[0].step if entries else None)


def sweep(*folders: Path) -> list[Path]:
    """Remove drafts that a killed process left behind.

    Args:
        folders: Folders in which no process writes.

    Returns:
        What was removed.
    """
    swept: list[Path] = []
    for folder in folders:
        for draft in folder.glob(ANY_DRAFT):
            with suppress(OSError):
                draft.unlink()
                swept.append(draft)
    return swept
