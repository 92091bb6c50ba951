"""Finding a layout in folders: time and memory of a pair, with 100 000 and 1 000 000 pairs of empty files."""

from __future__ import annotations

import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from foveate.benchmarks.listing import made
from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.folders.layout import FolderLayout, find_layout
from foveate.datasets.folders.options import FolderOptions

COUNTS = (100_000, 1_000_000)
COMPARED = 100_000  # pairs that mmseg lists too


def run(settings: Settings) -> Result:
    """Our layout and mmseg's listing in turn; then the same with ten times as many files."""
    figures: dict[str, list[float]] = {}
    remarks = []
    with tempfile.TemporaryDirectory(dir=made(settings.out)) as folder:
        for count in COUNTS:
            root = make_files(Path(folder) / str(count), count)
            candidates: dict[str, Candidate] = {f"ours, {count} pairs": lambda root=root: layout(root)}
            if count == COMPARED:
                candidates = {f"mmseg, {count} pairs": peer(root), **candidates}
            figures |= alternate(candidates, rounds=settings.times(3), warmup=1)
            remarks.append(f"{count} pairs: {peak(root) / count:.0f} bytes of Python's memory a pair at most")
            shutil.rmtree(root)
    goals = [Goal(f"listing {COMPARED} pairs", f"mmseg, {COMPARED} pairs", f"ours, {COMPARED} pairs", factor=1.0)]
    what = (
        "images/<split>/ and masks/<split>/ of empty files. Ours lists both, pairs them, and reports what is alone; "
        "mmseg lists the images of one split, and takes for granted that each has a mask."
    )
    return Result("folders", "Scaling: folders", what, figures, goals, remarks=remarks)


def layout(root: Path) -> FolderLayout:
    """What the data module of folders finds."""
    return find_layout(root, FolderOptions())


def peak(root: Path) -> float:
    """Bytes that are in use at most while the layout is found."""
    tracemalloc.start()
    layout(root)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def make_files(root: Path, count: int) -> Path:
    """So many pairs of empty files; a tenth of them are val."""
    for number in range(count):
        split = "val" if number % 10 == 0 else "train"
        for folder, ending in (("images", "jpg"), ("masks", "png")):
            place = root / folder / split
            if number < 2:
                place.mkdir(parents=True, exist_ok=True)
            os.close(os.open(place / f"frame_{number:07d}.{ending}", os.O_CREAT | os.O_WRONLY))
    return root


def peer(root: Path) -> Callable[[], object]:
    """mmseg's listing of both splits."""
    mmseg.prepared()
    from mmseg.datasets import BaseSegDataset

    def listed() -> object:
        return [
            BaseSegDataset(
                data_root=str(root),
                data_prefix={"img_path": f"images/{split}", "seg_map_path": f"masks/{split}"},
                metainfo={"classes": ("a", "b"), "palette": [[0, 0, 0], [1, 1, 1]]},
                pipeline=[],
            )
            for split in ("train", "val")
        ]

    return listed
