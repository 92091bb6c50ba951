"""Handwritten digits: the data set that comes with scikit-learn, for a first run without any download."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS, ClassificationOptions
from foveate.datasets.labelled_images import ArrayDataset

TEST_SHARE, VAL_SHARE = 0.2, 0.1
SPLIT_SEED = 0  # the parts are the same in every run


class DigitsDataModule(ClassificationDataModule):
    """1797 digits of 8 x 8 pixels (Alpaydin and Kaynak 1998): 1293 train, 144 val, 360 test; the same in every run.

    Each part has every class in proportion. Choose models by val; use the test part for the final score only.

    Digits are not flipped, and not turned, since a turn of 8 x 8 pixels blurs them. They are in memory, so
    `num_workers` 0 is fastest.

    Args:
        options: The options of every classification data set; if not given, `image_size` is 8, the digits' own,
            `crop` none, `flip` 0, `shift` 0.125, `crop_ratio` null and `num_workers` 0.
    """

    defaults = ClassificationOptions(
        **{
            **CLASSIFICATION_DEFAULTS,
            "image_size": 8,
            "crop": "none",
            "flip": 0.0,
            "shift": 0.125,
            "crop_ratio": None,
            "num_workers": 0,
        }
    )

    def __init__(self, **options: Unpack[ClassificationOptions]) -> None:
        super().__init__(**options)

    @property
    def label_set(self) -> ClassSet:
        """The ten digits."""
        return ClassSet(name="digits", names=tuple("0123456789"))

    def find_images(self, split: str) -> ArrayDataset:
        """The images of a split."""
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # a second that others need not wait

        digits = load_digits()
        values, labels = np.asarray(digits.images), np.asarray(digits.target)
        grey = np.round(values * (255 / 16)).astype(np.uint8)
        chosen = split_digits(labels)[split]
        return ArrayDataset(np.repeat(grey[chosen][..., None], 3, axis=3), labels[chosen], f"digits/{split}")


def split_digits(labels: Int[np.ndarray, " N"]) -> dict[str, NDArray[np.int64]]:
    """Indices of the three parts, each in ascending order and with every class in proportion."""
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    every = np.arange(len(labels), dtype=np.int64)
    rest, test = train_test_split(every, test_size=TEST_SHARE, stratify=labels, random_state=SPLIT_SEED)
    train, val = train_test_split(rest, test_size=VAL_SHARE, stratify=labels[rest], random_state=SPLIT_SEED)
    return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}
