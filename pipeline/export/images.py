"""Real images for the check of an export: the val split of the training's data, or a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.datasets.batch import Pick
from foveate.datasets.errors import DataError
from foveate.datasets.images import ImagesDataModule
from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.export.subject import Subject
from foveate.pipeline.text import first_line

Size = tuple[int, int]
ADVICE = "give --images FOLDER, or --data.root of the data that the model was trained with"


@dataclass(frozen=True)
class Sample:
    """An image, and its labels where they are known.

    Attributes:
        image: (C, H, W), uint8.
        labels: Train ids (H, W) with 255 for ignored pixels, or a class number as a tensor without axes.
    """

    image: Tensor
    labels: Tensor | None = None

    @property
    def size(self) -> Size:
        """Height and width."""
        return int(self.image.shape[1]), int(self.image.shape[2])

    def resized(self, size: Size) -> Sample:
        """The image at another size, by area or linear interpolation, and its label map by the nearest pixel.

        Args:
            size: Height and width.
        """
        if size == self.size:
            return self
        image = F.interpolate(self.image[None].float(), size=size, mode="bilinear", antialias=True)
        labels = self.labels
        if labels is not None and labels.ndim == 2:
            labels = F.interpolate(labels[None, None].float(), size=size, mode="nearest")[0, 0].to(labels.dtype)
        return replace(self, image=image[0].round().clamp(0, 255).to(torch.uint8), labels=labels)


def find_samples(subject: Subject, folder: str | None, data: Any, count: int) -> list[Sample]:
    """Real images, evenly spaced over the val split or the folder.

    Args:
        subject: The model that is exported.
        folder: Folder of images; None for the val split.
        data: The data module whose val split is taken.
        count: How many images at most.

    Raises:
        UnusableDataError: The data or the folder cannot be read, or hold no image.
    """
    try:
        samples = _of_folder(subject, folder, count) if folder is not None else _of_data(data, count)
    except (DataError, OSError) as error:
        raise UnusableDataError(f"no images to check the export on ({first_line(error)}): {ADVICE}") from error
    if not samples:
        raise UnusableDataError(f"no image to check the export on: {ADVICE}")
    return samples


def _of_folder(subject: Subject, folder: str, count: int) -> list[Sample]:
    settings = {**(subject.model.evaluation.get("images") or {}), "channels": subject.channels}
    data = ImagesDataModule(folder, **{**settings, "num_workers": 0})
    data.setup("predict")
    read = _chosen(data.predict_dataloader(), count)
    return [_sample(one) for one in read if not one.get("fault")]


def _of_data(data: Any, count: int) -> list[Sample]:
    data.setup("validate")
    return [_sample(one) for one in _chosen(data.val_dataloader(), count)]


def _chosen(loader: Any, count: int) -> Iterable[Mapping[str, Any]]:
    """Evenly spaced samples of a loader's data set: neighbours often show the same scene or class."""
    dataset = loader.dataset
    number = min(count, len(dataset))
    for index in range(number):
        yield dataset[Pick(index * len(dataset) // number)]


def _sample(given: Mapping[str, Any]) -> Sample:
    image: Tensor = given["image"]
    labels = given.get("mask", given.get("label"))
    return Sample(image[0] if image.ndim == 4 else image, None if labels is None else torch.as_tensor(labels))
