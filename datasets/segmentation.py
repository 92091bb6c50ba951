"""What every segmentation data module shares: reading pairs, augmenting them, and handing each process its part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.labels import IGNORE, LabelSet, Table
from foveate.datasets.loading import LoadingDataModule
from foveate.datasets.pairs import Pair
from foveate.datasets.reading import read_image, read_label
from foveate.datasets.train_loader import TrainLoader
from foveate.datasets.train_order import shuffle
from foveate.datasets.transforms import TrainTransform


class SegmentationDataset(Dataset[dict[str, object]]):
    """Pairs of image and label map, as bytes.

    Args:
        pairs: The files.
        table: Stored id -> train id.
        transform: Augmentation; None gives images and masks at their own size.
    """

    def __init__(self, pairs: Sequence[Pair], table: Table, transform: TrainTransform | None = None) -> None:
        self.pairs = list(pairs)
        self.table = table
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        image, mask = self.read(pick.index)
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=pick.seed)
        if pick.blank:
            mask = np.full_like(mask, IGNORE)
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return {
            "image": planes,
            "mask": torch.from_numpy(np.ascontiguousarray(mask)),
            "path": str(self.pairs[pick.index].image),
        }

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) and train ids (H, W) of a pair, as they are on disk."""
        pair = self.pairs[index]
        image, mask = read_image(pair.image), read_label(pair.label, self.table)
        if image.shape[:2] != mask.shape:
            raise DataError(f"{pair.image} is {_size(image)}, but {pair.label} is {_size(mask)} (height x width)")
        return image, mask


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"


class SegmentationDataModule(LoadingDataModule):
    """Base of the segmentation data sets; a subclass says its labels and where its files are.

    Args:
        root: The data set's folder.
        crop: Height and width of a training sample.
        batch_size: Training samples per step and device.
        eval_batch_size: Validation images per step and device; above 1 only where all have one size.
        scale: Range of the factor by which a training image is resized before the crop.
        max_ratio: Crop again while one class covers more than this share of the labelled pixels.
        flip: Probability of a horizontal flip.
        photometric: Whether training colours are distorted.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
    """

    label_set: LabelSet

    def __init__(
        self,
        root: str | None = None,
        *,
        crop: tuple[int, int] = (512, 512),
        batch_size: int = 8,
        eval_batch_size: int = 1,
        scale: tuple[float, float] = (0.5, 2.0),
        max_ratio: float = 0.75,
        flip: float = 0.5,
        photometric: bool = True,
        num_workers: int = -1,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            root, batch_size=batch_size, eval_batch_size=eval_batch_size, num_workers=num_workers, seed=seed
        )
        self.transform = TrainTransform(
            (crop[0], crop[1]), scale=scale, max_ratio=max_ratio, flip=flip, photometric=photometric
        )
        self._datasets: dict[str, SegmentationDataset] = {}

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split: train, val or test."""
        raise NotImplementedError

    def id_table(self) -> Table:
        """Stored id -> train id."""
        return self.label_set.to_train_ids()

    def setup(self, stage: str) -> None:
        """Find the files of the stage: fit, validate or test.

        Raises:
            DataError: A folder is missing, a split is empty, or files are unpaired.
        """
        for split in {"fit": ["train", "val"], "validate": ["val"], "test": ["test"]}.get(stage, []):
            if split not in self._datasets:
                transform = self.transform if split == "train" else None
                self._datasets[split] = SegmentationDataset(self.find_pairs(split), self.id_table(), transform)

    def train_dataloader(self) -> TrainLoader:
        """Augmented crops, in a new order each epoch."""
        dataset = self._datasets["train"]
        world_size, _ = self.place()
        if len(dataset) // world_size < self.batch_size:
            raise DataConfigError(
                f"{len(dataset)} training images on {world_size} process(es) do not fill one batch of "
                f"{self.batch_size}; lower --data.batch_size"
            )
        return self.train_loader(dataset, collate, draw=shuffle(len(dataset)), count=len(dataset), company=True)

    def val_dataloader(self) -> DataLoader[dict[str, object]]:
        """Whole images of the val split, in order."""
        return self.eval_loader(self._datasets["val"], collate)

    def test_dataloader(self) -> DataLoader[dict[str, object]]:
        """Whole images of the test split, in order."""
        return self.eval_loader(self._datasets["test"], collate)

    def samples(self, split: str, count: int) -> SegmentationDataset:
        """The same few images of a split each time, spread over it, as a data set of its own."""
        whole = self._datasets[split]
        step = max(1, len(whole) // max(1, count))
        return SegmentationDataset(whole.pairs[::step][:count], whole.table)


def collate(samples: Sequence[dict[str, object]]) -> SegmentationBatch:
    """Stack samples to a batch.

    Raises:
        DataError: Their sizes differ.
    """
    paths = [str(sample["path"]) for sample in samples]
    images = [image for sample in samples if isinstance(image := sample["image"], Tensor)]
    masks = [mask for sample in samples if isinstance(mask := sample.get("mask"), Tensor)]
    for image, path in zip(images, paths, strict=True):
        if image.shape != images[0].shape:
            raise DataConfigError(
                f"images of several sizes in one batch: {paths[0]} is {tuple(images[0].shape[1:])}, {path} is "
                f"{tuple(image.shape[1:])} (height, width); set --data.eval_batch_size 1"
            )
    batch: SegmentationBatch = {"image": torch.stack(images), "path": paths}
    if masks:
        batch["mask"] = torch.stack(masks)
    return batch
