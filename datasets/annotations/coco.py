"""COCO instances: one JSON file for each split, with polygons and run lengths. Also Roboflow's and CVAT's exports.

Format: cocodataset.org, "Data format". Annotations have no order, so that larger ones are drawn first and small ones
stay visible; crowds, which are ignored, come before all.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from foveate.datasets.annotations.entries import LARGEST_SET, Entry, read_json
from foveate.datasets.annotations.exported_files import FileList, ImageFiles, split_of
from foveate.datasets.annotations.gathering import Gathering
from foveate.datasets.annotations.model import AnnotationSet, Bitmap, Region
from foveate.datasets.annotations.rle import Counts, check_counts, expand, unpack_counts
from foveate.datasets.annotations.shapes import area
from foveate.datasets.folders.names import understand_name

Sized = tuple[float, Region]  # area in pixels
ROBOFLOW = r"_annotations\.coco\.json"


def read(sources: Iterable[Path], files: FileList, images: ImageFiles) -> AnnotationSet:
    """The annotations of one or several files, such as one for each split.

    Args:
        sources: The JSON files.
        files: The files of the export.
        images: Its images.

    Raises:
        DataError: A file is damaged, or not in this format.
    """
    gathering = Gathering(images)
    classes: dict[str, None] = {}
    for source in sources:
        content = read_json(source, LARGEST_SET)
        names = read_categories(content, gathering)
        classes |= dict.fromkeys(names.values())
        _read_images(content, names, split_of_file(source, files.root), gathering)
    return gathering.finish("coco", list(classes))


def split_of_file(source: Path, root: Path) -> str | None:
    """The split that an annotation file is about, by its name or its folder.

    Args:
        source: The file, such as instances_val2017.json or valid/_annotations.coco.json.
        root: The folder of the export.
    """
    words = source.name.removesuffix(".json").replace("-", "_").replace(".", "_").split("_")
    named = next((split for word in reversed(words) if (split := understand_name(word).split) is not None), None)
    return named or (split_of(source.relative_to(root).as_posix()) if source.is_relative_to(root) else None)


def read_categories(content: Entry, gathering: Gathering) -> dict[int, str]:
    """Names of the classes by their ids.

    Args:
        content: The file.
        gathering: Gets the notes.

    Raises:
        DataError: They are missing, or an id stands for two.
    """
    names: dict[int, str] = {}
    for category in content["categories"].items():
        number, name = category["id"].whole(), category["name"].text()
        if number in names:
            raise category.fail(f"the id {number} stands for {names[number]!r} too")
        names[number] = name
    for group in _groups(content):
        gathering.notes.append(f"{names.pop(group)!r} is the name of a group of classes, and no class")
    for name, count in Counter(names.values()).items():
        if count > 1:
            gathering.notes.append(f"{count} ids have the name {name!r}: they are one class")
    return names


def _groups(content: Entry) -> list[int]:
    """Ids of categories that only name a group of others, as Roboflow writes them: no annotation has them."""
    categories = content.value["categories"]
    parents = {str(category.get("supercategory")) for category in categories}
    groups = [one for one in categories if one.get("supercategory") == "none" and one["name"] in parents]
    used = {one["category_id"].whole() for one in content["annotations"].items()} if groups else set()
    return [one["id"] for one in groups if one["id"] not in used]


def _read_images(content: Entry, names: dict[int, str], split: str | None, gathering: Gathering) -> None:
    entries = {image["id"].whole(): image for image in content["images"].items()}
    sizes = {number: _size(image) for number, image in entries.items()}
    regions: dict[int, list[Sized]] = {number: [] for number in entries}
    for annotation in content["annotations"].items():
        number = annotation["image_id"].whole()
        if number not in entries:
            raise annotation["image_id"].fail(f"no image has the id {number}")
        regions[number] += _read_annotation(annotation, names, sizes[number], gathering)
    for number, image in entries.items():
        ordered = sorted(regions[number], key=lambda sized: (not sized[1].ignore, -sized[0]))
        name = image["file_name"]
        found = gathering.files.find(name.text(), name.where, hint=split)
        kept = [region for _, region in ordered]
        gathering.add(found, name.text(), kept, where=image.where, size=sizes[number], split=split)


def _size(image: Entry) -> tuple[int, int]:
    return image["height"].whole(), image["width"].whole()


def _read_annotation(entry: Entry, names: dict[int, str], size: tuple[int, int], gathering: Gathering) -> list[Sized]:
    category = entry["category_id"]
    if (label := names.get(category.whole())) is None:
        raise category.fail(f"no category has the id {category.value}")
    crowd = entry.says("iscrowd")
    segmentation = entry.get("segmentation")
    if segmentation is None or not segmentation.value:
        gathering.left_out["annotations without a segmentation, such as boxes"] += 1
        return []
    if isinstance(segmentation.value, dict):
        counts = read_rle(segmentation, size)
        return [(float(counts[1::2].sum()), Region(label=label, bitmap=rle_bitmap(counts, size), ignore=crowd))]
    rings = gathering.polygons([ring.ring() for ring in segmentation.items()])
    given = entry.get("area")
    whole = given.number() if given is not None and given.value else sum(map(area, rings))
    return [(whole, Region(label=label, rings=rings, ignore=crowd))] if rings else []


def read_rle(entry: Entry, size: tuple[int, int]) -> Counts:
    """Run lengths of an entry with `counts`, packed or not, and `size`.

    Args:
        entry: The entry.
        size: Height and width of its image.

    Raises:
        DataError: They are damaged, or of another size.
    """
    said = entry["size"].wholes(2)
    if said != list(size):
        raise entry["size"].fail(f"{said} is not the size of its image, {list(size)} (height, width)")
    counts = entry["counts"]
    unpacked = unpack_counts(counts.value, counts.where) if isinstance(counts.value, str) else counts.value
    return check_counts(unpacked, size[0] * size[1], counts.where)


def rle_bitmap(counts: Counts, size: tuple[int, int]) -> Bitmap:
    """The mask of COCO's run lengths.

    Args:
        counts: Lengths of runs down the columns of the image.
        size: Height and width of the image.
    """
    decode = partial(expand, counts, *size, by_column=True)
    return Bitmap(top=0, left=0, decode=decode, key=counts.tobytes())


def find_sources(files: FileList) -> list[str]:
    """Files of an export that may hold COCO instances.

    Of several that describe the same images only those are taken whose name says `instances`.

    Args:
        files: The files of the export.
    """
    found = files.named(ROBOFLOW) or files.named(r".*\.json")
    instances = [path for path in found if posixpath.basename(path).startswith("instances")]
    return instances or found
