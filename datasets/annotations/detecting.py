"""Which format an export has, by its files."""

from __future__ import annotations

import mmap
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from foveate.datasets.annotations import coco
from foveate.datasets.annotations.exported_files import FileList
from foveate.datasets.errors import DataError

LOOKED_AT = 50  # JSON files of a folder; more would be of the same kind

# What the text of a JSON file holds, for each format; the first that fits.
WORDS: dict[str, tuple[bytes, ...]] = {
    "via": (b'"shape_attributes"', b'"region_attributes"'),
    "coco-panoptic": (b'"segments_info"', b'"categories"'),
    "coco": (b'"annotations"', b'"categories"', b'"images"'),
    "labelme": (b'"shapes"', b'"imagePath"'),
    "cityscapes": (b'"imgHeight"', b'"objects"', b'"polygon"'),
    "label-studio": (b'"annotations"', b'"result"', b'"data"'),
}


def find_sources(files: FileList, source: Path, format: str) -> list[Path]:
    """The files of an export that a format's reader starts from; none where it has another format.

    Args:
        files: The files of the export.
        source: What the user gave: a file, or the folder.
        format: The format.
    """
    if source.is_file():
        return [source] if fits(source, format) else []
    return [files.root / path for path in FINDERS[format](files)]


def fits(path: Path, format: str) -> bool:
    """Whether a single file is of a format.

    Args:
        path: The file.
        format: The format.
    """
    if path.suffix.lower() == ".json":
        if format == "supervisely":
            return path.name == "meta.json" and holds(path, (b'"classes"',))
        return format == _format_of_json(path)
    if path.suffix.lower() == ".csv":
        return format == "via" and holds(path, (b"region_shape_attributes",))
    if path.suffix.lower() == ".xml":
        return format == "cvat" and holds(path, (b"<annotations",))
    return format == "yolo" and path.suffix.lower() in (".yaml", ".yml") and holds(path, (b"names",))


def _format_of_json(path: Path) -> str | None:
    return next((name for name, words in WORDS.items() if holds(path, words)), None)


def holds(path: Path, words: Sequence[bytes]) -> bool:
    """Whether a file's bytes hold all of some words; even large files are searched in a moment.

    Args:
        path: The file.
        words: The words.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return all(content.find(word) >= 0 for word in words)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _json_of(format: str) -> Callable[[FileList], list[str]]:
    def find(files: FileList) -> list[str]:
        paths = coco.find_sources(files) if format == "coco" else files.named(r".*\.json")
        if not any(_format_of_json(files.root / path) == format for path in paths[:LOOKED_AT]):
            return []
        return [path for path in paths if _format_of_json(files.root / path) == format]

    return find


def _voc(files: FileList) -> list[str]:
    return [path for path in files.named("labelmap.txt") if has_masks(files)]


def has_masks(files: FileList) -> bool:
    """Whether there is a folder SegmentationClass/ with PNG files.

    Args:
        files: The files of the export.
    """
    return any(f"/{path}".rpartition("/")[0].find("/SegmentationClass") >= 0 for path in files.named(r".*\.png"))


def _yolo(files: FileList) -> list[str]:
    has_texts = any("labels" in path.split("/")[:-1] for path in files.named(r".*\.txt"))
    found = [path for path in files.named(r".*\.ya?ml") if holds(files.root / path, (b"names",))]
    return found if has_texts else []


def _supervisely(files: FileList) -> list[str]:
    has_annotations = any(posixpath.dirname(path).endswith("ann") for path in files.named(r".*\.json"))
    return files.named(r"meta\.json") if has_annotations else []


def _via(files: FileList) -> list[str]:
    tables = [path for path in files.named(r".*\.csv") if fits(files.root / path, "via")]
    return _json_of("via")(files) or tables


def _cvat(files: FileList) -> list[str]:
    return [path for path in files.named(r".*\.xml") if fits(files.root / path, "cvat")]


# In the order in which they are tried: those with an unmistakable file first.
FINDERS: dict[str, Callable[[FileList], list[str]]] = {
    "roboflow": lambda files: files.named(r"_classes\.csv"),
    "voc": _voc,
    "yolo": _yolo,
    "supervisely": _supervisely,
    "cvat": _cvat,
    "coco-panoptic": _json_of("coco-panoptic"),
    "coco": _json_of("coco"),
    "cityscapes": _json_of("cityscapes"),
    "labelme": _json_of("labelme"),
    "label-studio": _json_of("label-studio"),
    "via": _via,
}
