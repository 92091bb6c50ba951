"""Images without labels to train on: random crops of every image below a folder, in an order that can be resumed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from foveate.datasets.augment.classification import ClassifierTrainTransform
from foveate.datasets.batch import Pick
from foveate.datasets.errors import DataError
from foveate.datasets.files.image_reader import RGB, ImageReader
from foveate.datasets.files.image_sources import find_images
from foveate.datasets.files.survey import spread
from foveate.datasets.labelled_pairs import collate
from foveate.datasets.loading.damage import DamageLog, instead_of
from foveate.datasets.loading.data_module import LoadingDataModule
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import shuffle
from foveate.datasets.text import Side, to_side

Scale = tuple[float, float]
SCALE: Scale = (0.2, 1.0)  # share of an image's area that a crop keeps
LEAST_STEPS = 100  # of an epoch; a few images are repeated


class UnlabelledImages(Dataset[dict[str, object]]):
    """Random crops of images, as bytes. A damaged image is replaced by another one, and `faults` says why.

    Args:
        paths: The image files.
        transform: Cuts a crop out of an image.
        reader: Reads images.

    Raises:
        DataError: Too many images in a row are damaged.
    """

    def __init__(self, paths: Sequence[Path], transform: ClassifierTrainTransform, reader: ImageReader) -> None:
        self.paths = paths
        self.transform = transform
        self.reader = reader

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        index, seed = (pick.index, pick.seed) if isinstance(pick, Pick) else (pick, 0)
        faults: list[str] = []
        for other in instead_of(index, seed, len(self)):
            try:
                image = self.reader.read(self.paths[other])
            except DataError as error:
                faults.append(str(error))
                continue
            planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            cut = self.transform(planes, seed=seed)
            return {"image": cut, "path": str(self.paths[other]), "faults": "\n".join(faults)}
        raise DataError(f"{len(faults)} damaged images in a row, such as: {faults[0]}")


class UnlabelledDataModule(LoadingDataModule):
    """Square crops of every image below a folder, for a training that needs no labels.

    Args:
        images: Folder (searched with its sub-folders), pattern such as `photos/*.jpg`, or `.txt` file with a path on
            each line.
        size: Side of the crops, in pixels.
        scale: Range of the share of an image's area that a crop keeps.
        batch_size: Crops per step.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides order and crops.

    Raises:
        DataError: There is no such folder, or it holds no image.
        DataConfigError: An option is out of range.
    """

    def __init__(
        self,
        images: str,
        *,
        size: Side = 224,
        scale: Scale = SCALE,
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(None, batch_size=batch_size, eval_batch_size=None, num_workers=num_workers, seed=seed)
        self.paths, self.folder = find_images(images)
        transform = ClassifierTrainTransform(to_side(size, "size"), scale=scale)
        self.dataset = UnlabelledImages(self.paths, transform, ImageReader(channels=RGB))

    def train_dataloader(self) -> TrainLoader:
        """Batches in random order; with its state in a checkpoint, a training goes on within an epoch."""
        count = len(self.dataset)
        repeats = -(-LEAST_STEPS * self.batch_size // count)
        return self.train_loader(
            self.dataset,
            collate,
            draw=shuffle(count, repeats),
            count=count * repeats,
            company=True,
            damage=DamageLog(),
        )

    def first(self, count: int) -> torch.Tensor:
        """Crops (N, 3, S, S) of some images that are spread evenly over all; the same at every call.

        Args:
            count: How many at most.
        """
        chosen = spread(len(self.paths), count)
        crops = [self.dataset[Pick(index, seed=self.seed + index)]["image"] for index in chosen]
        return torch.stack([crop for crop in crops if isinstance(crop, torch.Tensor)])

    def digest(self) -> str:
        """A hash of the names and sizes of all images, by which the same images are recognised elsewhere."""
        digest = hashlib.sha256()
        for path in self.paths:
            name = path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.as_posix()
            size = path.stat().st_size if path.is_file() else -1
            digest.update(os.fsencode(f"{name}\0{size}\0"))
        return digest.hexdigest()
