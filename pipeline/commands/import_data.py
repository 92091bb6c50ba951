"""`foveate data import`: a folder to train on from what an annotation tool exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from foveate.datasets.errors import DataError
from foveate.datasets.progress import bars
from foveate.pipeline.answering import answer
from foveate.pipeline.files import write_text
from foveate.plugins.selection import split_names

SHOWN = 20  # faults
Background = Literal["background", "ignore"]
Placing = Literal["link", "copy"]
Figures = dict[str, Any]


def import_(
    source: str,
    out: str,
    format: str = "auto",
    images: str | None = None,
    background: Background = "background",
    classes: str | None = None,
    copy: Placing = "link",
    json: str | None = None,
) -> None:
    """Turn what an annotation tool exported into images/, masks/ and classes.yaml. An interrupted run is continued.

    Reads COCO, labelme, YOLO, Pascal VOC, CVAT, Label Studio, Supervisely, VIA, Roboflow and Cityscapes polygons.

    Example: foveate data import ~/annotations.json data/mine --images ~/photos

    Args:
        source: The file or the unpacked folder that the tool exported.
        out: Folder to write to: new, or of an interrupted import.
        format: auto finds it by the files; else cityscapes, coco, coco-panoptic, cvat, label-studio, labelme, roboflow,
            supervisely, via, voc or yolo.
        images: Folder with the images, if they do not lie beside the annotations.
        background: Whether pixels in no region are the class background, value 0, or are ignored, value 255.
        classes: The classes to draw, in this order, such as road,car; all if not given.
        copy: Whether images become hard links, which need no space (copies across file systems), or copies.
        json: File for what was read and written, or - for standard output, also without a value.
    """
    wanted = split_names(classes) if classes is not None else None
    beside = Path(images).expanduser() if images is not None else None
    drawn = {"background": background, "classes": wanted, "placing": copy}
    answer(json, lambda: _import(Path(source).expanduser(), Path(out).expanduser(), format, beside, drawn))


def _import(source: Path, target: Path, form: str, images: Path | None, drawn: dict[str, Any]) -> Figures:
    from foveate.datasets.annotations.importing import import_set
    from foveate.datasets.annotations.reading import read_annotations
    from foveate.datasets.annotations.report import describe_import, describe_set, import_figures

    found = read_annotations(source, form, images)
    print(describe_set(found, source), flush=True)
    _refuse_faults(found.faults, target.with_name(f"{target.name}.faults.txt"))
    with bars() as progress:
        try:
            imported = import_set(found, source, target, **drawn, progress=progress)
        except OSError as error:
            raise DataError(f"{target}: cannot be written: {error}") from error
    for line in describe_import(imported, target):
        print(line)
    return {**import_figures(found, imported), "folder": str(target)}


def _refuse_faults(faults: Sequence[str], listing: Path) -> None:
    """Print the first faults, write all to a file if there are more, and raise an error, if there are any."""
    for line in faults[:SHOWN]:
        print(line)
    if len(faults) > SHOWN:
        write_text(listing, "".join(f"{fault}\n" for fault in faults))
        print(f"... and {len(faults) - SHOWN} more (all in {listing})")
    if faults:
        raise DataError(f"{len(faults)} faults, listed above")
