"""The doubted regions as a table, as a list of images to re-label, and as figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.doubt.evidence import Evidence
from foveate.pipeline.doubt.ranking import Doubt
from foveate.pipeline.files import write_text

TABLE, LIST = "doubts.csv", "relabel.txt"
BOX = ("x0", "y0", "x1", "y1")


def row_of(doubt: Doubt, names: Sequence[str]) -> dict[str, Any]:
    """A doubt as plain values; those of a classifier have no box.

    Args:
        doubt: The doubt.
        names: Names of the classes.
    """
    region = doubt.found.region
    box = {} if region.kind == "image" else {**dict(zip(BOX, region.box, strict=True)), "area": region.area}
    return {
        "image": doubt.found.image,
        **box,
        "kind": region.kind,
        "labelled": names[region.labelled],
        "predicted": names[region.predicted],
        "label_probability": round(region.label_confidence, 4),
        "probability": round(region.confidence, 4),
        "score": round(doubt.score, 4),
    }


def write_table(folder: Path, doubts: Sequence[Doubt], names: Sequence[str], *, segments: bool) -> None:
    """Write a row for each doubt, the most doubtful first.

    Args:
        folder: Where to.
        doubts: In order.
        names: Names of the classes.
        segments: Whether the doubts are regions of images.
    """
    columns = ["image", *((*BOX, "area") if segments else ()), "kind", "labelled", "predicted"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns, "label_probability", "probability", "score"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row_of(doubt, names) for doubt in doubts)
    write_text(folder / TABLE, text.getvalue())


def write_list(folder: Path, doubts: Sequence[Doubt]) -> int:
    """Write the images that have a doubt, each once, the most doubtful first; gives their number.

    Args:
        folder: Where to.
        doubts: In order.
    """
    images = list(dict.fromkeys(doubt.found.image for doubt in doubts))
    write_text(folder / LIST, "".join(f"{image}\n" for image in images))
    return len(images)


def figures_of(doubts: Sequence[Doubt], evidence: Evidence, names: Sequence[str]) -> dict[str, Any]:
    """Everything as JSON takes it.

    Args:
        doubts: In order.
        evidence: What was counted.
        names: Names of the classes.
    """
    thresholds = evidence.thresholds().tolist()
    return {
        "classes": list(names),
        "thresholds": {name: round(value, 6) for name, value in zip(names, thresholds, strict=True)},
        "confusion": evidence.confusion.tolist(),
        "doubts": [row_of(doubt, names) for doubt in doubts],
    }
