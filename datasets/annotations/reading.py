"""Reads what an annotation tool exported, in any of the formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from foveate.datasets.annotations import (
    cityscapes_polygons,
    coco,
    coco_panoptic,
    cvat,
    label_studio,
    labelme,
    roboflow,
    supervisely,
    via,
    voc,
    yolo,
)
from foveate.datasets.annotations.detecting import FINDERS, find_sources, has_masks
from foveate.datasets.annotations.exported_files import FileList, ImageFiles
from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.text import few, near_path

READERS: dict[str, Callable[[Sequence[Path], FileList, ImageFiles], AnnotationSet]] = {
    "cityscapes": cityscapes_polygons.read,
    "coco": coco.read,
    "coco-panoptic": coco_panoptic.read,
    "cvat": cvat.read,
    "label-studio": label_studio.read,
    "labelme": labelme.read,
    "roboflow": roboflow.read,
    "supervisely": supervisely.read,
    "via": via.read,
    "voc": voc.read,
    "yolo": yolo.read,
}
FORMATS = ", ".join(READERS)


def detect_format(source: Path) -> str | None:
    """The format of an export; None if it has none of the known ones.

    Args:
        source: A file or a folder.

    Raises:
        DataError: There is no such file or folder, or it cannot be read.
    """
    files = _list_files(source)
    found = next((name for name in FINDERS if find_sources(files, source, name)), None)
    return found or ("voc" if source.is_dir() and has_masks(files) else None)


def read_annotations(source: Path, format: str = "auto", images: Path | None = None) -> AnnotationSet:
    """All that an export says: classes, images, and what was drawn on them.

    Args:
        source: The file or the unpacked folder that the tool exported.
        format: `auto` finds it by the files; else one of cityscapes, coco, coco-panoptic, cvat, label-studio, labelme,
            roboflow, supervisely, via, voc, yolo.
        images: Folder with the images, if they do not lie beside the annotations. They are then found by their names
            too if the annotations give other folders.

    Returns:
        The set; `faults` lists images that are missing or have another size.

    Raises:
        DataError: There is no such file, it has another format, or it is damaged.
        DataConfigError: There is no such format.
    """
    if format not in ("auto", *READERS):
        raise DataConfigError(f"no format {format!r}; accepted: auto, {FORMATS}")
    files = _list_files(source)
    name = (detect_format(source) if format == "auto" else format) or _unknown(source)
    sources = find_sources(files, source, name)
    if not sources and not (name == "voc" and has_masks(files)):
        raise DataError(f"{source} holds no annotations in the format {name} (formats: {FORMATS})")
    shown = _list_files(images) if images is not None else files
    return READERS[name](sources, files, ImageFiles(shown.root, shown.paths, apart=images is not None))


def _list_files(source: Path) -> FileList:
    if source.suffix.lower() in (".zip", ".tar", ".gz", ".7z") and source.is_file():
        raise DataError(f"{source}: an archive; unpack it, and give the folder")
    if not source.exists():
        raise DataError(f"{source}: no such file or folder{near_path(source)}")
    return FileList(source if source.is_dir() else source.parent)


def _unknown(source: Path) -> str:
    files = _list_files(source)
    shown = few(files.paths) if source.is_dir() and files.paths else "no files" if source.is_dir() else source.name
    raise DataError(f"{source} holds annotations in no known format ({FORMATS}); found: {shown}. Name it with --format")
