"""Patches of street scenes, each with the class of its central pixel: a classification data set from label maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS, ClassificationOptions
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.reading import read_image
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.labels import IGNORE, Table
from foveate.datasets.layouts import LabelFiles
from foveate.datasets.loading.data_module import at_least_one
from foveate.datasets.masks.values import read_label

Place = tuple[int, int, int]  # of a patch: index of its image, row and column of its central pixel


class PatchDataset(ClassificationDataset):
    """Patches of images, each with the class of its central pixel.

    Args:
        pairs: Images and label maps.
        table: Stored id -> train id.
        per_image: Patches of each image. For each one, a class is drawn from those in the image.
        side: Side of a patch in pixels; beyond the image's edge it is mirrored.
    """

    def __init__(self, pairs: Sequence[Pair], table: Table, *, per_image: int, side: int) -> None:
        self.pairs = list(pairs)
        self.side = side
        self.places: list[Place] = []
        labels: list[int] = []
        for number, pair in enumerate(self.pairs):
            mask = read_label(pair.label, table)
            for row, column in draw_places(mask, per_image, seed=number):
                self.places.append((number, row, column))
                labels.append(int(mask[row, column]))
        self.labels = np.array(labels, dtype=np.int64)
        if not labels:
            raise DataError(f"no labelled pixel in {len(self.pairs)} label maps, such as {self.pairs[0].label}")

    def read(self, index: int) -> UInt8[np.ndarray, "S S 3"]:
        """A patch, in RGB."""
        number, row, column = self.places[index]
        return cut(read_image(self.pairs[number].image), row, column, self.side)

    def where(self, index: int) -> str:
        """The image's file, with row and column of the central pixel."""
        number, row, column = self.places[index]
        return f"{self.pairs[number].image}@{row},{column}"


def draw_places(mask: UInt8[np.ndarray, "H W"], count: int, *, seed: int) -> list[tuple[int, int]]:
    """Rows and columns of labelled pixels, each drawn in two steps: a class of the mask, then a pixel of that class.

    Args:
        mask: Train ids, 255 where ignored.
        count: Number of pixels; none if every pixel is ignored.
        seed: Decides the draw.
    """
    random = np.random.default_rng(seed)
    shown = [value for value in np.unique(mask) if value != IGNORE]
    places = []
    for value in random.choice(shown, count) if shown else []:
        rows, columns = np.nonzero(mask == value)
        chosen = random.integers(len(rows))
        places.append((int(rows[chosen]), int(columns[chosen])))
    return places


def cut(image: UInt8[np.ndarray, "H W 3"], row: int, column: int, side: int) -> UInt8[np.ndarray, "S S 3"]:
    """The square of an image around a pixel, mirrored beyond the edge.

    Args:
        image: RGB bytes.
        row: Of the central pixel.
        column: Of the central pixel.
        side: Of the square, in pixels.
    """
    rows, columns = (
        _mirrored(np.arange(middle - side // 2, middle - side // 2 + side), length)
        for middle, length in ((row, image.shape[0]), (column, image.shape[1]))
    )
    return np.ascontiguousarray(image[rows[:, None], columns[None]])


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    period = max(1, 2 * (length - 1))
    folded = np.abs(places) % period
    return np.asarray(np.minimum(folded, period - folded))


class CityscapesPatchesDataModule(ClassificationDataModule):
    """Patches of Cityscapes, or of any data in its layout, to pre-train an encoder before segmentation.

    Args:
        root: The folder that holds leftImg8bit/ and gtFine/.
        patch: Side of a patch in the image, in pixels.
        per_image: Patches of each image.
        labels: Which label files to read: `labelIds` as in the archive, or `labelTrainIds` made by the official script.
        options: The options of every classification data set; `image_size` is 64 if not given.
    """

    expected = CityscapesDataModule.expected
    defaults = ClassificationOptions(**{**CLASSIFICATION_DEFAULTS, "image_size": 64})

    def __init__(
        self,
        root: str | None = None,
        *,
        patch: int = 64,
        per_image: int = 16,
        labels: LabelFiles = "labelIds",
        **options: Unpack[ClassificationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.patch = at_least_one("patch", patch)
        self.labels = labels
        self.per_image = at_least_one("per_image", per_image)

    @property
    def label_set(self) -> ClassSet:
        """The 19 classes."""
        return ClassSet(name="cityscapes patches", names=CityscapesDataModule.label_set.names)

    def find_images(self, split: str) -> PatchDataset:
        """The patches of a split; of val where test is asked for."""
        scenes = CityscapesDataModule(str(self.existing_root()), labels=self.labels)
        pairs = scenes.find_pairs(split)
        return PatchDataset(pairs, scenes.id_table(), per_image=self.per_image, side=self.patch)
