"""Writes the images of tables as files, once, each exactly as it is stored in its cell.

To read one image of a Parquet file means to read its group of rows, which takes a hundred times as long as a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.files.locking import alone
from foveate.datasets.files.pairs import ENDINGS
from foveate.datasets.files.writing import write_whole
from foveate.datasets.packed.folder import HOME
from foveate.datasets.tables.reading import read_batches
from foveate.datasets.tables.splits import Tables

FORMAT = 1
DONE = "rows.json"  # in the folder of a table, written last
MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"\x93NUMPY": ".npy",
}
Progress = Callable[[int, int], None]  # tables done, tables in all


@dataclass
class Rows:
    """The rows of a split, whose images are files.

    Attributes:
        images: Names of the images' files, relative to a folder.
        labels: Names of the label maps' files, or numbers or names of classes.
    """

    images: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)

    def extend(self, other: Rows) -> None:
        """Append the rows of another table."""
        self.images += other.images
        self.labels += other.labels


def unpacked_folder(root: Path, columns: Sequence[str], cache_dir: Path | None) -> Path:
    """Where the images of a data set are written to.

    Args:
        root: The data set's folder.
        columns: The columns of images and labels.
        cache_dir: A folder instead of `.foveate` in the root; several data sets may share it.
    """
    place = "" if cache_dir is None else str(root.resolve())
    key = hashlib.sha256(json.dumps([FORMAT, *columns, place]).encode()).hexdigest()[:12]
    return (cache_dir or root / HOME) / f"hub-{key}"


def unpack(
    tables: Tables, root: Path, folder: Path, columns: tuple[str, str], *, masks: bool, progress: Progress
) -> dict[str, Rows]:
    """Write what is missing of the images of each split. One of several processes does it, and the others wait.

    A table counts as unpacked if it is as it was then. So an interrupted run is continued.

    Args:
        tables: The files of each split.
        root: The folder in which they lie.
        folder: Folder to write to.
        columns: The columns of images and labels.
        masks: Whether labels are images.
        progress: Told after each table.

    Returns:
        The rows of each split; names are relative to `folder`.

    Raises:
        DataError: A table is damaged or has an empty cell, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / ".lock"):
            places = [(split, file, _place(split, file, root)) for split, files in tables.items() for file in files]
            _check_space(folder, [file for _, file, place in places if _read_done(folder / place, file) is None])
            rows: dict[str, Rows] = {split: Rows() for split in tables}
            for done, (split, file, place) in enumerate(places, start=1):
                known = _read_done(folder / place, file)
                rows[split].extend(known or _unpack_table(file, folder, place, columns, masks=masks))
                progress(done, len(places))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error}; give --data.cache_dir DIR") from error
    return rows


def _place(split: str, file: Path, root: Path) -> str:
    """The folder of a table's images: its split, its own name, and what tells its path from others."""
    path = file.relative_to(root).with_suffix("").as_posix()
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
    return f"{split}/{re.sub(r'[^A-Za-z0-9_-]+', '-', file.stem)}-{key}"


def _origin(file: Path) -> str:
    """Size and time of change of a table."""
    stat = file.stat()
    return f"{stat.st_size}@{stat.st_mtime_ns}"


def _read_done(place: Path, file: Path) -> Rows | None:
    """The rows of a table that was unpacked as it is now."""
    with suppress(OSError, ValueError, KeyError):
        content = json.loads((place / DONE).read_text(encoding="utf-8"))
        if content["origin"] == _origin(file):
            return Rows(content["images"], content["labels"])
    return None


def _unpack_table(file: Path, folder: Path, place: str, columns: tuple[str, str], *, masks: bool) -> Rows:
    shutil.rmtree(folder / place, ignore_errors=True)  # what an interrupted run left
    origin, rows = _origin(file), Rows()
    for part in ("image", "label") if masks else ("image",):
        (folder / place / part).mkdir(parents=True)
    for batch in read_batches(file, columns):
        images, labels = batch.column(0), batch.column(1)
        for index in range(batch.num_rows):
            number = len(rows.images)
            where = f"{file}: row {number}"
            rows.images.append(_write(images, index, folder, f"{place}/image/{number:06d}", where))
            label = f"{place}/label/{number:06d}"
            rows.labels.append(_write(labels, index, folder, label, where) if masks else _value(labels[index], where))
    content = {"origin": origin, "images": rows.images, "labels": rows.labels}
    write_whole(folder / place / DONE, json.dumps(content).encode())
    return rows


def _value(cell: Any, where: str) -> int | str:
    """A class: its number or its name."""
    value = cell.as_py()
    if value is None:
        raise DataError(f"{where} has no label")
    return value if isinstance(value, str) else int(value)


def _write(column: Any, index: int, folder: Path, name: str, where: str) -> str:
    """Write the image of a cell; returns its name with the image's own name and an ending."""
    data, path = _content(column, index)
    if data is None:
        named = f"; it names the file {path!r}, which tables do not hold" if path else ""
        raise DataError(f"{where} has no image{named}. Save the data set with its images embedded")
    start = bytes(memoryview(data)[:8])
    own = PurePosixPath(path.replace("\\", "/"))
    suffix = next((ending for magic, ending in MAGIC.items() if start.startswith(magic)), own.suffix.lower())
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", own.stem)[:80]
    full = f"{name}{'_' * bool(stem)}{stem}{suffix if suffix in ENDINGS else ''}"
    with (folder / full).open("wb") as file:
        file.write(data)
    return full


def _content(column: Any, index: int) -> tuple[Any, str]:
    """The bytes of an image and the name that it had; None if there are none."""
    cell = column[index]
    if not hasattr(cell, "keys"):  # bytes without a name
        return (cell.as_buffer() if cell.is_valid else None), ""
    if not cell.is_valid:
        return None, ""
    data, path = cell["bytes"], cell["path"].as_py() if "path" in cell else None
    return (data.as_buffer() if data.is_valid else None), str(path or "")


def _check_space(folder: Path, files: Sequence[Path]) -> None:
    needed, free = sum(os.stat(file).st_size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: the images of {len(files)} tables take about {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB "
            "are free; give --data.cache_dir DIR on a larger disk"
        )
