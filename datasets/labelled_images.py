"""Images with class numbers, one at a time and in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from foveate.datasets.augment.classification import ClassifierEvalTransform, ClassifierTrainTransform
from foveate.datasets.batch import BLANK, ClassificationBatch, Pick
from foveate.datasets.errors import DataError
from foveate.datasets.loading.train_order import Indices

Transform = ClassifierTrainTransform | ClassifierEvalTransform


class ClassificationDataset(Dataset[dict[str, object]]):
    """Images and class numbers; a subclass says how many there are and how one is read.

    Attributes:
        labels: Class number of each image, int64.
        transform: Applied to each image; None leaves them as they are.
    """

    labels: Indices
    transform: Transform | None = None

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """An image as it is stored, in RGB."""
        raise NotImplementedError

    def where(self, index: int) -> str:
        """Where an image comes from."""
        raise NotImplementedError

    def select(self, chosen: Indices) -> ClassificationDataset:
        """Some of the images.

        Args:
            chosen: Their positions.
        """
        return SomeImages(self, chosen)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        image = torch.from_numpy(np.ascontiguousarray(self.read(pick.index).transpose(2, 0, 1)))
        if self.transform is not None:
            image = self.transform(image, seed=pick.seed)
        label = BLANK if pick.blank else int(self.labels[pick.index])
        return {"image": image, "label": label, "path": self.where(pick.index)}


class ArrayDataset(ClassificationDataset):
    """Images in memory.

    Args:
        images: RGB bytes (N, H, W, 3).
        labels: Class numbers (N).
        name: What stands before an image's number in its path.
    """

    def __init__(self, images: UInt8[np.ndarray, "N H W 3"], labels: Int[np.ndarray, " N"], name: str) -> None:
        self.images = images
        self.labels = labels.astype(np.int64)
        self.name = name

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """An image, as a view."""
        image: NDArray[np.uint8] = self.images[index]
        return image

    def where(self, index: int) -> str:
        """Name and number, such as digits/train/17."""
        return f"{self.name}/{index}"


class SomeImages(ClassificationDataset):
    """Some images of a data set.

    Args:
        whole: The data set.
        chosen: Positions of the images in it.
    """

    def __init__(self, whole: ClassificationDataset, chosen: Indices) -> None:
        self.whole = whole
        self.chosen = chosen
        self.labels = whole.labels[chosen]

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """An image as it is stored, in RGB."""
        return self.whole.read(int(self.chosen[index]))

    def where(self, index: int) -> str:
        """Where an image comes from."""
        return self.whole.where(int(self.chosen[index]))


def collate(samples: Sequence[Mapping[str, Any]]) -> ClassificationBatch:
    """Stack samples to a batch.

    Raises:
        DataError: Their sizes differ.
    """
    images: list[Tensor] = [sample["image"] for sample in samples]
    paths = [str(sample["path"]) for sample in samples]
    for image, path in zip(images, paths, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"images of several sizes in one batch: {paths[0]} is {tuple(images[0].shape[1:])}, {path} is "
                f"{tuple(image.shape[1:])} (height, width)"
            )
    labels = torch.tensor([int(sample["label"]) for sample in samples], dtype=torch.int64)
    return {"image": torch.stack(images), "label": labels, "path": paths}
