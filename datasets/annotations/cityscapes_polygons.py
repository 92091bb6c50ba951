"""Cityscapes' polygons: a JSON file for each image, `*_gtFine_polygons.json`, and further sets made in its way.

Format: github.com/mcordts/cityscapesScripts. Later objects lie on top, and cover the pixels that the official script
gives them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from foveate.datasets.annotations.entries import Entry, read_json
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Region
from foveate.datasets.labels import CITYSCAPES

ENDING = r"(.*?)(_gt(?:Fine|Coarse))?_polygons\.json"
GROUP = "group"  # after the name of a class: several objects that nobody could tell apart
KEPT = "polegroup"  # a class of its own
NO_CLASS = "license plate"  # the official script does not draw it


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of many JSON files.

    Args:
        sources: The JSON files.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images.outside("gtFine", "gtCoarse"), rule="pillow")
    labels: set[str] = set()
    for source in sources:
        content = read_json(source)
        regions = _read_objects(content, gathering)
        labels |= {region.label for region in regions}
        below = source.relative_to(files.root).as_posix() if source.is_relative_to(files.root) else source.name
        split = split_of(below)
        found = _find(source.name, content.where, split, gathering.files)
        size = content["imgHeight"].whole(), content["imgWidth"].whole()
        gathering.add(found, source.name, regions, where=str(source), size=size, split=split)
    known = [name for name in CITYSCAPES.names if name in labels]
    colours = dict(zip(CITYSCAPES.names, CITYSCAPES.colours, strict=True))
    classes = [*known, *sorted(labels - set(known))]
    return gathering.finish("cityscapes", classes, {name: colours[name] for name in known})


def _find(name: str, where: str, split: str | None, images: ImageFiles) -> str | None:
    found = re.fullmatch(ENDING, name)
    base = found[1] if found else posixpath.splitext(name)[0]
    stems = (f"{base}_leftImg8bit", base)
    return next((path for stem in stems if (path := images.find_stem(stem, where, hint=split)) is not None), None)


def _read_objects(content: Entry, gathering: Gathering) -> list[Region]:
    regions = []
    for item in content["objects"].items():
        label = class_of(item["label"].text())
        if item.says("deleted"):
            gathering.left_out["deleted objects"] += 1
        elif label == NO_CLASS:
            gathering.left_out[f"objects of {NO_CLASS!r}, which are no class"] += 1
        elif rings := gathering.polygons([item["polygon"].ring()]):
            regions.append(Region(label=label, rings=rings))
    return regions


def class_of(label: str) -> str:
    """The class of a label; a group of cars is drawn as car.

    Args:
        label: As the file has it.

    Example:
        >>> class_of("cargroup"), class_of("polegroup")
        ('car', 'polegroup')
    """
    single = label.removesuffix(GROUP)
    return single if single in CITYSCAPES.names and label != KEPT else label
