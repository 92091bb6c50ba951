"""Handwritten digits: the data set that comes with scikit-learn, for a first run without any download."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.augment.classification import Crop
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.labelled_images import ArrayDataset

TEST_SHARE, VAL_SHARE = 0.2, 0.1
SPLIT_SEED = 0  # the parts are the same in every run


class DigitsDataModule(ClassificationDataModule):
    """1797 digits of 8 x 8 pixels (Alpaydin and Kaynak 1998): 1293 train, 144 val, 360 test; the same in every run.

    Each part has every class in proportion. Choose by val; the test part is for the last word only.

    Args:
        image_size: Side of the square images that the network gets, in pixels; 8 is the digits' own.
        batch_size: Training images per step and device.
        crop: How training images are cut: none, padded or random_resized.
        flip: Probability of a horizontal flip, which digits do not stand.
        rotation: Largest random turn, in degrees; at 8 pixels a turn blurs away what the digits are told by.
        shift: Largest random shift, as a share of the side.
        crop_ratio: Share of the shorter side that evaluation's central crop keeps; null resizes the whole image.
        num_workers: Processes that read; the digits are in memory, so that 0 is fastest.
        options: The rest of what ClassificationDataModule takes.
    """

    def __init__(
        self,
        *,
        image_size: int = 8,
        batch_size: int = 64,
        crop: Crop = "none",
        flip: float = 0.0,
        rotation: float = 0.0,
        shift: float = 0.125,
        crop_ratio: float | None = None,
        num_workers: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(
            image_size=image_size,
            batch_size=batch_size,
            crop=crop,
            flip=flip,
            rotation=rotation,
            shift=shift,
            crop_ratio=crop_ratio,
            num_workers=num_workers,
            **options,
        )

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


def split_digits(labels: NDArray[np.integer[Any]]) -> dict[str, NDArray[np.int64]]:
    """Indices of the three parts, each in ascending order and with every class in proportion."""
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    every = np.arange(len(labels), dtype=np.int64)
    rest, test = train_test_split(every, test_size=TEST_SHARE, stratify=labels, random_state=SPLIT_SEED)
    train, val = train_test_split(rest, test_size=VAL_SHARE, stratify=labels[rest], random_state=SPLIT_SEED)
    return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}
