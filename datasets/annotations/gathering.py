"""Collects the images of an export, checks each against its file, and counts what is left out."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from foveate.datasets.annotations.exported_files import ImageFiles, inner_name, split_of
from foveate.datasets.annotations.image_sizes import upright_size
from foveate.datasets.annotations.model import AnnotatedImage, AnnotationSet, Region, Ring, Rule
from foveate.datasets.class_table import RGB
from foveate.datasets.errors import DataError
from foveate.datasets.text import few

FEWEST = 3  # points of an area
SLACK = 1.0  # pixels that a region may reach beyond the image without being counted


class Gathering:
    """What a reader has found so far.

    Args:
        files: The images of the export.
        rule: Which pixels its polygons cover.
    """

    def __init__(self, files: ImageFiles, rule: Rule = "coco") -> None:
        self.files = files
        self.left_out: Counter[str] = Counter()
        self.notes: list[str] = []
        self.faults: list[str] = []
        self._rule = rule
        self._images: list[AnnotatedImage] = []
        self._taken: dict[tuple[str | None, str], Path] = {}
        self._beyond = 0
        self._used: set[str] = set()

    def polygons(self, rings: Sequence[Ring]) -> tuple[Ring, ...]:
        """The rings that are areas; the others are counted."""
        areas = tuple(ring for ring in rings if len(ring) >= FEWEST)
        if missing := len(rings) - len(areas):
            self.left_out["polygons of fewer than 3 points"] += missing
        return areas

    def pass_over(self, path: str) -> None:
        """Do not tell of a file that lies among the images and is none, such as a mask."""
        self._used.add(path)

    def add(
        self,
        found: str | None,
        name: str,
        regions: Iterable[Region],
        *,
        where: str,
        size: tuple[int, int] | None = None,
        split: str | None = None,
        key: bytes = b"",
    ) -> None:
        """Add an image, or a fault if it is missing or has another size.

        Args:
            found: Its path below the folder of images; None if there is none.
            name: Its name in the annotations.
            regions: What was drawn on it.
            where: The file and entry, for messages.
            size: Height and width that the annotations give.
            split: Its split.
            key: Stands for regions that are read later.
        """
        if found is None:
            self.faults.append(f"{name}: no such image in {self.files.root} ({where})")
            return
        self._used.add(found)
        path = self.files.root / found
        try:
            height, width = upright_size(path)
        except DataError as error:
            self.faults.append(str(error))
            return
        if size is not None and size != (height, width):
            self.faults.append(_other_size(path, (height, width), size, where))
            return
        self._beyond += sum(reaches_beyond(region, height, width) for region in regions) if not key else 0
        self._append(path, inner_name(found), (height, width), regions, split, key)

    def add_embedded(
        self, content: Callable[[], bytes], path: Path, name: str, size: tuple[int, int], regions: Iterable[Region]
    ) -> None:
        """Add an image that lies within the annotation file.

        Args:
            content: Gives its bytes.
            path: The annotation file.
            name: Where the image would lie below the folder of images.
            size: Height and width.
            regions: What was drawn on it.
        """
        self._append(path, inner_name(name), size, regions, split_of(name), b"", content)

    def _append(
        self,
        path: Path,
        name: str,
        size: tuple[int, int],
        regions: Iterable[Region],
        split: str | None,
        key: bytes,
        embedded: Callable[[], bytes] | None = None,
    ) -> None:
        if (other := self._taken.get((split, posixpath.splitext(name)[0]))) is not None:
            both = f"{path}: annotated twice" if other == path else f"{path} and {other} would share one mask"
            self.faults.append(f"{both} (split: {split})")
            return
        self._taken[split, posixpath.splitext(name)[0]] = path
        self._images.append(
            AnnotatedImage(
                image=path,
                name=name,
                height=size[0],
                width=size[1],
                regions=regions,
                split=split,
                rule=self._rule,
                key=key,
                embedded=embedded,
            )
        )

    def finish(self, format: str, classes: Sequence[str], colours: Mapping[str, RGB] | None = None) -> AnnotationSet:
        """All that was found.

        Args:
            format: Name of the format.
            classes: Names of the classes, in their order.
            colours: Colours of classes, where the tool knows them.
        """
        if unused := len(set(self.files.paths) - self._used):
            self.left_out[f"images in {self.files.root} that the annotations do not name"] += unused
        notes = [*self.notes, *(f"left out: {count} {what}" for what, count in sorted(self.left_out.items()))]
        if self._beyond:
            notes.append(f"{self._beyond} regions reach beyond their image; what lies outside is not drawn")
        return AnnotationSet(
            format=format,
            classes=tuple(classes),
            images=self._images,
            colours=colours or {},
            notes=(*notes, *spelled_alike(classes)),
            faults=tuple(self.faults),
        )


def _other_size(path: Path, size: tuple[int, int], said: tuple[int, int], where: str) -> str:
    turned = "; it seems that the tool did not follow the rotation in its EXIF data" if size == said[::-1] else ""
    return (
        f"{path}: {size[0]} x {size[1]} (height x width), but it was annotated at {said[0]} x {said[1]} ({where})"
        f"{turned}: give the images that were annotated"
    )


def reaches_beyond(region: Region, height: int, width: int) -> bool:
    """Whether a region's polygons reach out of the image by more than a pixel.

    Args:
        region: The region.
        height: Of the image.
        width: Of the image.
    """
    if not region.rings:
        return False
    points = region.rings[0] if len(region.rings) == 1 else np.concatenate(region.rings)
    x, y = points.T
    return bool(x.min() < -SLACK or y.min() < -SLACK or x.max() > width + SLACK or y.max() > height + SLACK)


def spelled_alike(classes: Sequence[str]) -> list[str]:
    """A note for each group of class names that differ only in case, spaces, `-` or `_`."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault("".join(c for c in name.casefold() if c not in " _-"), []).append(name)
    alike = [names for names in groups.values() if len(names) > 1]
    return [f"{few(map(repr, names))} are spelled alike, and are {len(names)} classes" for names in alike]
