"""What an import found and wrote, in lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foveate.datasets.annotations.importing import Imported
from foveate.datasets.annotations.model import AnnotationSet


def describe_set(annotations: AnnotationSet, source: Path) -> str:
    """Format, number of images in each split, and number of classes, in a line.

    Args:
        annotations: What was read.
        source: Where it was read from.
    """
    splits = Counter(one.split or "no split" for one in annotations.images)
    images = ", ".join(f"{count} images in {split}" for split, count in splits.items()) or "no images"
    return f"{source} has the format {annotations.format}: {images}, {len(annotations.classes)} classes"


def describe_import(imported: Imported, out: Path) -> Iterator[str]:
    """Classes with their pixels, what was left out, and where all is.

    Args:
        imported: What was written.
        out: Where it was written to.
    """
    total = max(sum(imported.counts.values()), 1)
    longest = max(len(one.name) for one in imported.table.classes)
    rows = [(one.values[0], one.name) for one in imported.table.classes]
    rows += [(value, "ignored") for value in imported.table.ignore_values if imported.counts.get(value)]
    yield f"{'value':>5}  {'class':<{longest}}  {'pixels':>14}"
    for value, name in rows:
        count = imported.counts.get(value, 0)
        yield f"{value:>5}  {name:<{longest}}  {count:>14,}  {100 * count / total:6.2f} %"
    yield from imported.notes
    yield "images: " + ", ".join(f"{count} {how}" for how, count in imported.placed.items())
    yield f"{len(imported.drawn)} masks, and classes.yaml with {len(imported.table.classes)} classes, in {out}"


def import_figures(annotations: AnnotationSet, imported: Imported) -> dict[str, Any]:
    """The same for programs: format, images of each split (of no split under ""), pixels of classes, notes.

    Args:
        annotations: What was read.
        imported: What was written.
    """
    pixels = imported.counts
    classes = [
        {"name": one.name, "value": one.values[0], "pixels": pixels.get(one.values[0], 0)}
        for one in imported.table.classes
    ]
    return {
        "format": annotations.format,
        "images": dict(Counter(one.split or "" for one in annotations.images)),
        "masks": len(imported.drawn),
        "classes": classes,
        "ignored_pixels": sum(pixels.get(value, 0) for value in imported.table.ignore_values),
        "placed": dict(imported.placed),
        "notes": list(imported.notes),
    }
