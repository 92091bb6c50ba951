"""COCO panoptic: a JSON file for each split, and beside it a folder of PNG files whose colours number the segments.

Format: cocodataset.org, "Data format", panoptic segmentation. Segments do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from foveate.datasets.annotations.coco import read_categories, split_of_file
from foveate.datasets.annotations.entries import LARGEST_SET, Entry, read_json
from foveate.datasets.annotations.exported_files import FileList, ImageFiles
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.masks_of_files import Meaning, Numbers, file_key, mask_regions, pack_colour
from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.class_table import RGB
from foveate.datasets.files.names import safe_path
from foveate.datasets.files.reading import read_image, read_size

NO_SEGMENT = 0


def read(sources: Sequence[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of one or several files, such as one for each split.

    Args:
        sources: The JSON files.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images.outside(*(source.stem for source in sources)))
    classes: dict[str, None] = {}
    colours: dict[str, RGB] = {}
    for source in sources:
        content = read_json(source, LARGEST_SET)
        names = read_categories(content, gathering)
        classes |= dict.fromkeys(names.values())
        colours |= dict(_colours(content))
        _read_images(source, content, names, split_of_file(source, files.root), gathering)
    return gathering.finish("coco-panoptic", list(classes), colours)


def _colours(content: Entry) -> Iterator[tuple[str, RGB]]:
    for category in content["categories"].items():
        if (colour := category.get("color")) is not None:
            red, green, blue = colour.wholes(3)
            yield category["name"].text(), (red, green, blue)


def _read_images(source: Path, content: Entry, names: dict[int, str], split: str | None, gathering: Gathering) -> None:
    entries = {image["id"].whole(): image for image in content["images"].items()}
    for annotation in content["annotations"].items():
        image = entries.get(annotation["image_id"].whole())
        if image is None:
            raise annotation["image_id"].fail(f"no image has the id {annotation.value['image_id']}")
        name, file_name = image["file_name"], annotation["file_name"]
        mask = source.with_suffix("") / safe_path(file_name.text(), file_name.where)
        if not mask.is_file():
            gathering.faults.append(f"{mask}: no such file ({file_name.where})")
            continue
        regions = mask_regions(mask, _read_segments, _meanings(annotation, names))
        found = gathering.files.find(name.text(), name.where, hint=split)
        size, key = read_size(mask), file_key(mask)
        gathering.add(found, name.text(), regions, where=str(mask), size=size, split=split, key=key)


def _read_segments(mask: Path) -> Numbers:
    return pack_colour(read_image(mask))


def _meanings(annotation: Entry, names: dict[int, str]) -> dict[int, Meaning]:
    meanings: dict[int, Meaning] = {NO_SEGMENT: None}
    for segment in annotation["segments_info"].items():
        category = segment["category_id"]
        if (label := names.get(category.whole())) is None:
            raise category.fail(f"no category has the id {category.value}")
        meanings[segment["id"].whole()] = (label, segment.says("iscrowd"))
    return meanings
