"""Submissions to Cityscapes' server: writes the zip, and checks one before it is uploaded."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import opened
from foveate.datasets.files.pairs import list_images
from foveate.datasets.files.png import decode_png
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.threads import in_threads
from foveate.pipeline.files import replacing
from foveate.pipeline.scoring.conventions import in_ranges
from foveate.pipeline.scoring.faults import refuse

TEST_FRAMES, TEST_SIZE = 1525, (1024, 2048)
TEST_CITIES = ("berlin", "bielefeld", "bonn", "leverkusen", "mainz", "munich")
NAME = re.compile(r"([^_/]+_\d+_\d+)(?!\d)[^/]*\.png")  # <city>_<seq>_<frame>*.png
LARGEST = 64_000_000  # bytes of a file in the zip, and pixels of an image: many times what a frame takes
BEGINNING = (1980, 1, 1, 0, 0, 0)  # the date of every file in the zip, so that equal predictions make equal zips
Advance = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a submission has to hold.

    Attributes:
        count: Number of frames.
        size: Height and width of each.
        frames: The names of the frames, `<city>_<seq>_<frame>`; None where they are not known.
    """

    count: int = TEST_FRAMES
    size: tuple[int, int] = TEST_SIZE
    frames: Sequence[str] | None = None


def frame_of(name: str) -> str | None:
    """City, sequence and frame at the beginning of a file's name; None if it is named otherwise.

    Args:
        name: Of a file.

    Example:
        >>> frame_of("berlin_000000_000019_leftImg8bit.png"), frame_of("notes.txt")
        ('berlin_000000_000019', None)
    """
    found = NAME.fullmatch(name)
    return None if found is None else found[1]


def write_zip(predictions: Path, target: Path) -> int:
    """Write the label maps below a folder into one zip, without folders, sorted.

    Args:
        predictions: The folder.
        target: The zip; an old one is replaced once the new one is complete.

    Returns:
        The number of files.
    """
    files = sorted(list_images(predictions, recursive=True), key=lambda path: path.name)
    with replacing(target) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.name, BEGINNING), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)


def check_submission(path: Path, expected: Expected, advance: Advance | None = None) -> int:
    """Check a zip, or a folder, as it would be uploaded.

    Args:
        path: The zip or the folder.
        expected: What it has to hold.
        advance: Called with the number of files done, and of all.

    Returns:
        The number of frames.

    Raises:
        FilesError: Names are missing, extra or doubled, or a file is not what the server reads; all are listed.
        DataError: It is no zip.
    """
    entries = list(_entries(path))
    faults = _faults_of_names([entry.name for entry in entries], expected)
    images = [entry for entry in entries if frame_of(entry.short)]
    unreadable: list[str] = []
    for done, fault in enumerate(in_threads(lambda entry: _fault(entry, expected.size), images), start=1):
        unreadable += [fault] if fault else []
        if advance is not None:
            advance(done, len(images))
    refuse(str(path), {**faults, "unfit": unreadable}, "The server would not take it")
    return len(images)


@dataclass(frozen=True, eq=False)
class _Entry:
    """A file of a submission."""

    name: str
    size: int
    read: Callable[[], bytes]

    @property
    def short(self) -> str:
        return PurePosixPath(self.name).name


def _entries(path: Path) -> Iterator[_Entry]:
    """The files in a zip or below a folder."""
    if path.is_dir():
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            yield _Entry(file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes)
        return
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as a zip: {error}") from error
    for info in archive.infolist():
        if not info.is_dir():
            yield _Entry(info.filename, info.file_size, lambda info=info: archive.read(info))  # type: ignore[misc]


def _faults_of_names(names: Sequence[str], expected: Expected) -> dict[str, list[str]]:
    """What is missing, extra or doubled."""
    found: dict[str, list[str]] = {}
    extra = []
    for name in names:
        frame = frame_of(PurePosixPath(name).name)
        if frame is None or not _is_known(frame, expected):
            extra.append(name)
        else:
            found.setdefault(frame, []).append(name)
    doubled = [f"{frame} is {', '.join(several)}" for frame, several in found.items() if len(several) > 1]
    missing = [f"{frame}*.png" for frame in expected.frames or () if frame not in found]
    differs = expected.frames is None and len(found) != expected.count
    wrong = [f"{len(found)} frames, expected {expected.count}"] if differs else []
    return {"missing": missing, "extra": extra, "doubled": doubled, "wrong count": wrong}


def _is_known(frame: str, expected: Expected) -> bool:
    if expected.frames is not None:
        return frame in set(expected.frames)
    return expected.count != TEST_FRAMES or frame.partition("_")[0] in TEST_CITIES


def _fault(entry: _Entry, size: tuple[int, int]) -> str | None:
    """What is wrong with an image."""
    if entry.size > LARGEST:
        return f"{entry.name} has {entry.size} bytes"
    try:
        data = entry.read()
        return _fault_of_header(data, entry.name, size) or _fault_of_ids(data, entry.name)
    except (DataError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        return f"{entry.name}: {error}" if entry.name not in str(error) else str(error)


def _fault_of_header(data: bytes, name: str, size: tuple[int, int]) -> str | None:
    with opened(data, name, LARGEST) as image:
        if image.format != "PNG" or image.mode != "L":
            return f"{name} is {image.format} of mode {image.mode}; expected PNG of 8 bits and one channel (mode L)"
        if image.size != size[::-1]:
            return f"{name} is {image.size[1]} x {image.size[0]}; expected {size[0]} x {size[1]} (height x width)"
    return None


def _fault_of_ids(data: bytes, name: str) -> str | None:
    pixels = decode_png(data)
    if pixels is None:
        with opened(data, name, LARGEST) as image:
            pixels = np.array(image)
    ids = np.flatnonzero(np.bincount(pixels.reshape(-1), minlength=1)).tolist()
    wrong = [number for number in ids if number not in CITYSCAPES.ids]
    if not wrong:
        return None
    train = "; these look like train ids" if all(number < len(CITYSCAPES) or number == 255 for number in ids) else ""
    return f"{name} holds numbers that are no ids of classes: {in_ranges(wrong)}{train}"
