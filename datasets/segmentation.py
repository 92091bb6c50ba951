"""What every segmentation data module shares: reading pairs, augmenting them, and handing each process its part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from foveate.datasets.augment.albumentations import Augmentations, Spec
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.pairs import Pair, read_pair
from foveate.datasets.labels import IGNORE, LabelSet, Table
from foveate.datasets.loading.data_module import LoadingDataModule
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import shuffle
from foveate.datasets.packed.folder import PackedFolder, show_building


class SegmentationDataset(Dataset[dict[str, object]]):
    """Pairs of image and label map, as bytes.

    Args:
        pairs: The files.
        table: Stored id -> train id.
        transform: Augmentation; None gives images and masks at their own size.
        packed: Where the pairs are packed; None decodes the files.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        table: Table,
        transform: TrainTransform | None = None,
        packed: PackedFolder | None = None,
    ) -> None:
        self.pairs = list(pairs)
        self.table = table
        self.transform = transform
        self.packed = packed

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        image, mask = self.read(pick.index)
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=pick.seed)
        if pick.blank:
            mask = np.full_like(mask, IGNORE)
        return {
            "image": torch.from_numpy(_own(image)).permute(2, 0, 1),  # stays in channels_last order
            "mask": torch.from_numpy(_own(mask)),
            "path": str(self.pairs[pick.index].image),
        }

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) and train ids (H, W) of a pair at their own size; of a packed one, views of its file."""
        pair = self.pairs[index]
        return read_pair(pair, self.table) if self.packed is None else self.packed.read(pair)


def _own(array: np.ndarray) -> np.ndarray:
    """The array, or a copy of one that is a view of a file."""
    return array if array.flags.writeable and array.flags.c_contiguous else np.array(array, order="C")


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
        augmentations: Further ones of albumentations, by name or as `{name: GaussianBlur, p: 0.2}`, on the crops.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
        cache: `packed` decodes each image once and for all, and then reads only the rows that a crop shows: 4 bytes a
            pixel on disk (Cityscapes: 29 GB). It is built when it is needed, or before by foveate data pack.
        cache_dir: Folder for what is packed; `.foveate` in the root if not given.
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
        augmentations: list[Spec] | None = None,
        num_workers: int = -1,
        seed: int | None = None,
        cache: Literal["none", "packed"] = "none",
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(
            root, batch_size=batch_size, eval_batch_size=eval_batch_size, num_workers=num_workers, seed=seed
        )
        self.transform = TrainTransform(
            (crop[0], crop[1]),
            scale=scale,
            max_ratio=max_ratio,
            flip=flip,
            photometric=photometric,
            further=Augmentations(augmentations) if augmentations else None,
        )
        self.cache = cache
        self.cache_dir = None if cache_dir is None else Path(cache_dir).expanduser()
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
                pairs = self.find_pairs(split)
                packed = self.pack(split, pairs) if self.cache == "packed" else None
                transform = self.transform if split == "train" else None
                self._datasets[split] = SegmentationDataset(pairs, self.id_table(), transform, packed)

    def pack(self, split: str, pairs: Sequence[Pair]) -> PackedFolder:
        """The packed form of a split, after packing what is missing of it, with a progress bar.

        Raises:
            DataError: A pair cannot be read, or there is no room.
        """
        packed = PackedFolder(self.existing_root(), split, self.id_table(), self.cache_dir)
        show_building(packed, pairs, split)
        return packed

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
    rows = _stack([image.permute(1, 2, 0) for image in images])
    batch: SegmentationBatch = {"image": rows.permute(0, 3, 1, 2), "path": paths}
    if masks:
        batch["mask"] = _stack(masks)
    return batch


def _stack(tensors: list[Tensor]) -> Tensor:
    """One tensor of several; in a reading process it is made where the training process will see it."""
    stacked: Tensor = default_collate(tensors)
    return stacked
