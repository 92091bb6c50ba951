"""Turns an export into a data set that can be trained on: images/, masks/ and classes.yaml."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from foveate.datasets.annotations.exported_files import MARK
from foveate.datasets.annotations.model import AnnotatedImage, AnnotationSet
from foveate.datasets.annotations.rasterise import Drawn, Values, mask_path, rasterise_set, total_counts
from foveate.datasets.class_file import FILE_NAME, write_class_table
from foveate.datasets.class_table import RGB, ClassTable, MaskClass
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.writing import replacing, write_whole
from foveate.datasets.labels import IGNORE
from foveate.datasets.palette import distinct_colours
from foveate.datasets.text import few

Background = Literal["background", "ignore"]  # what pixels in no region are
Placing = Literal["link", "copy"]
Progress = Callable[[str, int, int], None]
BACKGROUND = "background"
BACKGROUND_WORDS = ("background", "_background_", "__background__")  # names that tools give it
UNASSIGNED = "unassigned"  # folder of images in no split, where others are in one
WHITE: RGB = (255, 255, 255)


@dataclass
class Imported:
    """What an import wrote.

    Attributes:
        table: The classes.
        drawn: The masks.
        counts: Pixels of each value in the masks.
        placed: How many images were linked, copied, or were there already.
        notes: What was left out, a line each.
    """

    table: ClassTable
    drawn: list[Drawn]
    counts: dict[int, int]
    placed: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def import_set(
    annotations: AnnotationSet,
    source: Path,
    out: Path,
    *,
    background: Background = "background",
    classes: Sequence[str] | None = None,
    placing: Placing = "link",
    progress: Progress = lambda what, done, total: None,
) -> Imported:
    """Write images, masks and classes.yaml of an export. An interrupted run is continued.

    Args:
        annotations: What was read, without faults.
        source: Where it was read from.
        out: Folder to write to: empty, or of an interrupted run.
        background: Whether pixels in no region are the class background, or are ignored.
        classes: The classes to draw, in this order; all if not given.
        placing: Whether images become hard links, where the file system can, or copies.
        progress: Called with what is done (images, masks), how many are done, and how many there are.

    Raises:
        DataError: There are faults or no images, `out` holds something else, or a file is damaged.
        DataConfigError: There is no such class, or there are too many.
    """
    if annotations.faults:
        raise DataError(f"{len(annotations.faults)} faults: {few(annotations.faults, separator='; ')}")
    if not annotations.images:
        raise DataError(f"{source} holds no annotated images")
    chosen = choose_classes(annotations.classes, classes)
    table = make_table(out.resolve().name, chosen, annotations, background)
    annotations, notes = assign_splits(annotations)
    claim(out, source)
    placed = place_images(annotations.images, out / "images", placing, progress)
    values = make_values(table, chosen, background)
    drawn = rasterise_set(annotations, out / "masks", values, progress=lambda done, all: progress("masks", done, all))
    write_class_table(out / FILE_NAME, table, heading=f"Imported from {source} ({annotations.format}).")
    notes = [*annotations.notes, *notes, *_unchosen(annotations, chosen), *left_over(out, annotations)]
    return Imported(table, drawn, total_counts(drawn), placed, notes)


def choose_classes(known: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The classes to draw, in their order.

    Args:
        known: The classes of the export.
        wanted: What the user names; None for all.

    Raises:
        DataConfigError: One is not among them, or is named twice.
    """
    if wanted is None:
        return tuple(known)
    for name in wanted:
        if name not in known:
            raise DataConfigError(f"no class {name!r} (classes: {few(known, shown=20)})")
    if len(set(wanted)) != len(wanted) or not wanted:
        raise DataConfigError(f"--classes names each class once, not {', '.join(wanted) or 'none'}")
    return tuple(wanted)


def is_background(name: str) -> bool:
    """Whether a tool's class is what its tools call the background.

    Args:
        name: Name of the class.
    """
    return name.strip().lower() in BACKGROUND_WORDS


def make_table(name: str, classes: Sequence[str], annotations: AnnotationSet, background: Background) -> ClassTable:
    """The classes with their values: 0 is the background, unless that is ignored and no class of the export.

    Args:
        name: Name of the new data set.
        classes: The classes to draw.
        annotations: The export, for colours.
        background: What pixels in no region are.

    Raises:
        DataConfigError: There are too many classes.
    """
    ordered = list(classes)
    if background == "background":
        own = [one for one in classes if is_background(one)] or [BACKGROUND]
        ordered = [*own[:1], *(one for one in classes if one != own[0])]
    generated = distinct_colours(len(ordered) + 1)[0 if background == "background" else 1 :]
    table = [
        MaskClass(name=one, values=(value,), colours=(annotations.colours.get(one, generated[value]),))
        for value, one in enumerate(ordered)
    ]
    return ClassTable(name=name, classes=tuple(table))


def make_values(table: ClassTable, classes: Sequence[str], background: Background) -> Values:
    """What masks hold.

    Args:
        table: The classes.
        classes: Those that are drawn.
        background: What pixels in no region are.
    """
    values = {one.name: one.values[0] for one in table.classes}
    colours = {one.values[0]: one.colours[0] for one in table.classes} | {IGNORE: WHITE}
    rest = 0 if background == "background" else IGNORE
    return Values(classes={name: values[name] for name in classes}, background=rest, colours=colours)


def assign_splits(annotations: AnnotationSet) -> tuple[AnnotationSet, list[str]]:
    """Put images of no split into a folder of their own, where others are in one.

    Args:
        annotations: The export.

    Returns:
        The set, and a note if there are such images.
    """
    without = [one for one in annotations.images if one.split is None]
    if not without or len(without) == len(annotations.images):
        return annotations, []
    images = [one if one.split else replace(one, split=UNASSIGNED) for one in annotations.images]
    note = f"{len(without)} images are in no split: they are in images/{UNASSIGNED}, which is not trained on"
    return replace(annotations, images=images), [note]


def claim(out: Path, source: Path) -> None:
    """Mark a folder as an import's, so that a later run can go on in it.

    Args:
        out: The folder.
        source: What is imported.

    Raises:
        DataError: It holds something else, or the import of another source.
    """
    mark = out / MARK
    content = {"imported_from": str(source.resolve())}
    if mark.is_file():
        try:
            before = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:
            raise DataError(f"{mark}: damaged; give an empty folder") from None
        if before != content:
            raise DataError(f"{out} holds an import of {before.get('imported_from')}; give another folder")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not empty, and was not written by an import: give a new folder")
    write_whole(mark, json.dumps(content).encode())


def image_path(out: Path, annotated: AnnotatedImage) -> Path:
    """The file of an image: `out/SPLIT/NAME`.

    Args:
        out: The folder.
        annotated: The image.
    """
    return out / (annotated.split or "") / annotated.name


def place_images(images: Sequence[AnnotatedImage], out: Path, placing: Placing, progress: Progress) -> Counter[str]:
    """Link or copy the images; those that are there already are kept.

    Args:
        images: The images.
        out: Folder to write to.
        placing: Whether to link or to copy.
        progress: Called with `images`, how many are done, and how many there are.

    Returns:
        How many were linked, copied, written from annotation files, or were there.
    """
    counts: Counter[str] = Counter()
    for number, annotated in enumerate(images, start=1):
        counts[_place(annotated, image_path(out, annotated), placing)] += 1
        progress("images", number, len(images))
    return counts


def _place(annotated: AnnotatedImage, path: Path, placing: Placing) -> str:
    if annotated.embedded is not None:
        data = annotated.embedded()
        if path.is_file() and path.read_bytes() == data:
            return "there already"
        write_whole(path, data, flush=False)
        return "written from the annotation files"
    image = annotated.image.resolve()
    if _is_current(image, path, placing):
        return "there already"
    with replacing(path, flush=False) as draft:
        if placing == "link":
            try:
                os.link(image, draft)
                return "linked"
            except OSError:  # another file system, or one without hard links
                pass
        shutil.copy2(image, draft)
        return "copied"


def _is_current(image: Path, path: Path, placing: Placing) -> bool:
    if not path.is_file():
        return False
    if path.samefile(image):
        return placing == "link"
    old, new = path.stat(), image.stat()
    return (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def _unchosen(annotations: AnnotationSet, chosen: Sequence[str]) -> list[str]:
    left = [name for name in annotations.classes if name not in chosen]
    return [f"left out: {len(left)} classes that --classes does not name: {few(left)}"] if left else []


def left_over(out: Path, annotations: AnnotationSet) -> list[str]:
    """A note about files below images/ and masks/ that do not belong to this import.

    Args:
        out: The folder.
        annotations: What was imported.
    """
    wanted = {image_path(out / "images", one) for one in annotations.images}
    wanted |= {mask_path(out / "masks", one) for one in annotations.images}
    there = [path for folder in ("images", "masks") for path in (out / folder).rglob("*") if path.is_file()]
    others = sorted(str(path) for path in there if path not in wanted)
    return [f"{len(others)} files of an earlier import remain; delete them: {few(others)}"] if others else []
