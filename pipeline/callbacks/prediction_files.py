"""The files that are written of a labelled image: which there are, what they are called, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from foveate.datasets.labels import LabelSet
from foveate.pipeline.callbacks.drawing import SIDE, compose, draw_overlay, legend_of, save_picture
from foveate.pipeline.callbacks.reducing import reduce_pair
from foveate.pipeline.callbacks.sample_drawer import pixels_of
from foveate.pipeline.files import fitting, replacing, write_text
from foveate.pipeline.inference.large import is_large
from foveate.pipeline.models.upsampling import Rows
from foveate.pipeline.outputs import FOLDERS, LABELS
from foveate.pipeline.pictures import indexed, write_png
from foveate.pipeline.polygons import coco_file, geojson_file

BAND = 256  # rows of a large label map that are renumbered at a time


class Labelled(NamedTuple):
    """An image and what was predicted of it.

    Attributes:
        name: Relative name of its files, with the ending .png.
        title: The image's path.
        image: Its bytes (1, C, H, W), or what gives their rows.
        train_ids: The class of each pixel, (H, W); a large one is renumbered in place at the end.
        confidence: The probability of that class, (H, W), 0 to 255.
        probabilities: Probabilities of the chosen classes, (k, H, W), float16.
    """

    name: Path
    title: str
    image: Rows | Tensor
    train_ids: NDArray[Any]
    confidence: NDArray[np.uint8] | None = None
    probabilities: NDArray[np.float16] | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionFiles:
    """Writes the files of labelled images.

    Attributes:
        out: Folder to write to.
        outputs: What is written, see `OUTPUTS`.
        labels: The classes.
        classes: Names of the classes in files of probabilities.
    """

    out: Path
    outputs: Sequence[str]
    labels: LabelSet
    classes: Sequence[str] = ()

    def write(self, labelled: Labelled) -> None:
        """Write each file of an image, as a whole or not at all; label maps last.

        Args:
            labelled: The image.
        """
        for output in sorted(self.outputs, key=lambda name: name == LABELS):
            if output in WRITERS:
                WRITERS[output](self, labelled, self.path(output, labelled.name))

    def path(self, output: str, name: Path) -> Path:
        """The file of an output; of an overlay without its ending, which its size decides.

        Args:
            output: Its name.
            name: Relative name of the image's files.
        """
        folder, ending = FOLDERS[output]
        return (self.out / folder / name).with_suffix(ending)

    def exist(self, name: Path) -> bool:
        """Whether every file of an image was written before.

        Args:
            name: Relative name of the image's files.
        """
        return all(self._exists(output, name) for output in self.outputs if output in WRITERS)

    def _exists(self, output: str, name: Path) -> bool:
        path = self.path(output, name)
        if output != "overlay":
            return path.is_file()
        return any(path.with_name(fitting(f"{path.name}.{ending}")).is_file() for ending in ("png", "jpg"))


def _write_labels(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    ids = _renumbered(labelled.train_ids, files.labels.to_regular_ids())
    write_png(Image.fromarray(np.ascontiguousarray(ids)), path)


def _write_palette(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    write_png(indexed(labelled.train_ids, files.labels.palette()), path)


def _write_overlay(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    image, train_ids = labelled.image, labelled.train_ids
    if is_large(*train_ids.shape):
        pixels, drawn = reduce_pair(image, train_ids)
    else:
        pixels, drawn = pixels_of(image[..., slice(0, image.shape[2]), slice(0, image.shape[3])][0]), train_ids
    panels = [("", draw_overlay(pixels, drawn, files.labels))]
    save_picture(compose(labelled.title, panels, legend_of(files.labels, drawn), columns=1, side=SIDE), path)


def _write_confidence(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    assert labelled.confidence is not None
    write_png(Image.fromarray(labelled.confidence), path)


def _write_probabilities(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    assert labelled.probabilities is not None
    with replacing(path, flush=False) as draft, draft.open("wb") as file:
        np.savez_compressed(file, probabilities=labelled.probabilities, classes=np.array(files.classes))


def _write_polygons(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    write_text(path, json.dumps(coco_file(labelled.train_ids, files.labels.names, labelled.title)))


def _write_geojson(files: PredictionFiles, labelled: Labelled, path: Path) -> None:
    write_text(path, json.dumps(geojson_file(labelled.train_ids, files.labels.names)))


Writer = Callable[[PredictionFiles, Labelled, Path], None]
WRITERS: dict[str, Writer] = {
    LABELS: _write_labels,
    "palette": _write_palette,
    "overlay": _write_overlay,
    "confidence": _write_confidence,
    "probabilities": _write_probabilities,
    "polygons": _write_polygons,
    "geojson": _write_geojson,
}


def _renumbered(train_ids: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Train ids as regular ids; a large label map of bytes is changed in place, band by band."""
    if not is_large(*train_ids.shape) or train_ids.dtype != table.dtype:
        renumbered: NDArray[Any] = table[train_ids]
        return renumbered
    for top in range(0, len(train_ids), BAND):
        band = train_ids[top : top + BAND]
        band[...] = table[band]
    return train_ids
