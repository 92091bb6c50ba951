"""What every segmentation data module shares: reading pairs, augmentation, and the loaders of each process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.errors import DamagedError, DataConfigError, DataError
from foveate.datasets.files.image_reader import RGB
from foveate.datasets.files.pairs import Pair, Paths
from foveate.datasets.files.survey import spread
from foveate.datasets.label_map import Mapped, apply_label_map, parse_label_map, read_label_map
from foveate.datasets.labels import IGNORE, LabelSet, Table, ignore_ids
from foveate.datasets.loading.damage import DamageLog, instead_of
from foveate.datasets.loading.data_module import LoadingDataModule, at_least_one
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import shuffle
from foveate.datasets.masks.mapped import MappedMasks
from foveate.datasets.masks.reader import MaskReader, PairReader
from foveate.datasets.masks.values import ValueMasks
from foveate.datasets.packed.folder import PackedFolder, build_with_progress
from foveate.datasets.segmentation_options import (
    SEGMENTATION_DEFAULTS,
    OnDamaged,
    SegmentationOptions,
    create_reader,
    create_transform,
    mean_pixel,
    to_ids,
)
from foveate.datasets.settling import MEASURED, SettledImages, channel_statistics, settle_images

log = logging.getLogger(__name__)


class SegmentationDataset(Dataset[dict[str, object]]):
    """Pairs of image and label map, as bytes.

    Args:
        pairs: The files.
        reader: Reads a pair.
        transform: Augmentation; None gives images and masks at their own size.
        packed: Where the pairs are packed; None decodes the files.
        on_damaged: `skip` lets another sample take the place of one that is damaged; `faults` then says why.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        reader: PairReader,
        transform: TrainTransform | None = None,
        packed: PackedFolder | None = None,
        on_damaged: OnDamaged = "error",
    ) -> None:
        self.pairs = pairs
        self.reader = reader
        self.transform = transform
        self.packed = packed
        self.on_damaged = on_damaged

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        if self.on_damaged == "error":
            return self._sample(pick, *self.read(pick.index))
        index, pixels, faults = self._read_intact(pick)
        return {**self._sample(replace(pick, index=index), *pixels), "faults": faults}

    def _sample(self, pick: Pick, image: np.ndarray, mask: np.ndarray) -> dict[str, object]:
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=pick.seed)
        if pick.blank:
            mask = np.full_like(mask, IGNORE)
        return {
            "image": torch.from_numpy(_own(image)).permute(2, 0, 1),  # stays in channels_last order
            "mask": torch.from_numpy(_own(mask)),
            "path": str(self.pairs[pick.index].image),
        }

    def _read_intact(self, pick: Pick) -> tuple[int, tuple[np.ndarray, np.ndarray], str]:
        """The first sample that can be read: the one asked for, or others; and why those before it cannot."""
        faults: list[str] = []
        for index in instead_of(pick.index, pick.seed, len(self)):
            try:
                return index, self.read(index), "\n".join(faults)
            except DamagedError as error:
                faults.append(" ".join(str(error).split()))
        raise DataError(f"{len(faults)} samples in a row are damaged, such as: {faults[-1]}")

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, C) and train ids (H, W) of a pair at their own size; views of its file if it is packed."""
        pair = self.pairs[index]
        return self.reader.read(pair) if self.packed is None else self.packed.read(pair)

    def some_images(self, most: int) -> Iterator[np.ndarray]:
        """Some images (H, W, C), evenly spread; damaged ones are left out.

        Args:
            most: How many at most.
        """
        for index in spread(len(self), most):
            with suppress(DamagedError):  # reported where it is trained on
                yield self.read(index)[0]


def _own(array: np.ndarray) -> np.ndarray:
    """The array, or a copy of one that is a view of a file."""
    return array if array.flags.writeable and array.flags.c_contiguous else np.array(array, order="C")


class SegmentationDataModule(LoadingDataModule):
    """Base of the segmentation data sets; a subclass says its labels and where its files are.

    A subclass with a choice of classes sets `label_set` before `super().__init__()`; one that reads its classes from
    files has the properties `own_labels` and `label_set`.

    Args:
        root: The data set's folder.
        options: The options of every segmentation data set, as described in SegmentationOptions.

    Attributes:
        label_set: Of a class: the classes of the data set. Of an object: the classes after its label map.
        own_labels: The classes of the data set before the label map.
    """

    label_set: LabelSet
    own_labels: LabelSet
    defaults: ClassVar[SegmentationOptions] = SEGMENTATION_DEFAULTS

    def __init__(self, root: str | None = None, **options: Unpack[SegmentationOptions]) -> None:
        given: SegmentationOptions = self.with_defaults(options)
        super().__init__(
            root,
            batch_size=given["batch_size"],
            eval_batch_size=given["eval_batch_size"],
            num_workers=given["num_workers"],
            seed=given["seed"],
        )
        self.pad_value = given["pad_value"]
        self.given_images = create_reader(given)
        self.on_damaged = given["on_damaged"]
        self.damage = DamageLog()
        self.crops_per_image = at_least_one("crops_per_image", given["crops_per_image"])
        self.transform = create_transform(given)
        self.ignored = to_ids(given["ignore"])
        self.cache = given["cache"]
        self.cache_dir = None if given["cache_dir"] is None else Path(given["cache_dir"]).expanduser()
        self._datasets: dict[str, SegmentationDataset] = {}
        self._pairs: dict[str, Sequence[Pair]] = {}
        self.label_map = None if given["label_map"] is None else read_label_map(given["label_map"])
        labels = vars(self).get("label_set", getattr(type(self), "label_set", None))
        if isinstance(labels, LabelSet):
            self.own_labels = labels
            self.label_set = labels if self.mapped is None else self.mapped.labels

    @cached_property
    def mapped(self) -> Mapped | None:
        """What the label map makes of the classes; None without one.

        Raises:
            DataConfigError: It does not fit them.
        """
        return None if self.label_map is None else apply_label_map(self.own_labels, parse_label_map(self.label_map))

    def find_pairs(self, split: str) -> Sequence[Pair]:
        """The pairs of a split: train, val or test."""
        raise NotImplementedError

    def settled(self) -> dict[str, Any]:
        """Options that were found from the data, as the recipe of a run keeps them."""
        images = self.settled_images
        found: dict[str, Any] = {} if self.label_map is None else {"label_map": self.label_map}
        return {**found, "range": list(images.reader.range or ())} if images.range_is_found else found

    def pairs_of(self, split: str) -> Sequence[Pair]:
        """The pairs of a split, which are looked for once.

        Args:
            split: train, val or test.

        Raises:
            DataError: See `find_pairs`.
        """
        if split not in self._pairs:
            self._pairs[split] = self.find_pairs(split)
        return self._pairs[split]

    @cached_property
    def settled_images(self) -> SettledImages:
        """How images are read, settled by the headers of some of them; what reading changes is told.

        Raises:
            DataError: Images differ in channels or depth, or no split can be found.
        """
        settled = settle_images(self._images_of_splits(), self.given_images)
        for line in settled.lines:
            log.info("%s", line)
        return settled

    def _images_of_splits(self) -> dict[str, Paths]:
        """The images of train and val, or else of test."""
        found: dict[str, Paths] = {}
        errors: list[DataError] = []
        for split in ("train", "val", "test"):
            try:
                if split != "test" or not found:
                    found[split] = Paths(self.pairs_of(split))
            except DataError as error:  # a split that is not needed may be missing
                errors.append(error)
        if not found:
            raise errors[0]
        return found

    @property
    def in_channels(self) -> int:
        """Channels of an image; 3 for RGB and grey."""
        return self.settled_images.reader.channels or RGB

    def image_statistics(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation of each channel of training images, in 0-255.

        They are taken from at most 64 images, evenly spread.

        Returns:
            None for RGB of 8 bits, whose usual mean and standard deviation belong to the weights.
        """
        if self.in_channels == RGB and not self.settled_images.is_deep:
            return None
        dataset = self._datasets.get("train") or SegmentationDataset(self.pairs_of("train"), self.reader())
        return channel_statistics(dataset.some_images(MEASURED))

    def id_table(self) -> Table:
        """Stored id -> train id before the label map, 255 for those that are ignored."""
        return ignore_ids(self.stored_ids(), self.ignored)

    def stored_ids(self) -> Table:
        """Stored id -> train id, as the data set defines it."""
        return self.own_labels.to_train_ids()

    def mask_reader(self) -> MaskReader:
        """Reads label maps, as train ids before the label map."""
        return ValueMasks(self.id_table())

    def reader(self) -> PairReader:
        """Reads a pair of this data set, as train ids after the label map."""
        masks = self.mask_reader()
        mapped = masks if self.mapped is None else MappedMasks(masks, self.mapped.table)
        return PairReader(mapped, self.settled_images.reader)

    def setup(self, stage: str) -> None:
        """Find the files of the stage: fit, validate or test.

        Raises:
            DataError: A folder is missing, a split is empty, or files are unpaired.
        """
        for split in {"fit": ["train", "val"], "validate": ["val"], "test": ["test"]}.get(stage, []):
            if split not in self._datasets:
                self._datasets[split] = self._dataset(split)

    def _dataset(self, split: str) -> SegmentationDataset:
        pairs = self.pairs_of(split)
        packed = self.pack(split, pairs) if self.cache == "packed" else None
        if split != "train":
            return SegmentationDataset(pairs, self.reader(), None, packed)
        for line in self.transform.adapt(self.in_channels):
            log.info("%s", line)
        self._check_padding()
        return SegmentationDataset(pairs, self.reader(), self.transform, packed, self.on_damaged)

    def _check_padding(self) -> None:
        if self.pad_value is not None and len(self.pad_value) != self.in_channels:
            raise DataConfigError(
                f"pad_value has a byte for each channel, {self.in_channels} here, not {len(self.pad_value)}"
            )

    def pack(self, split: str, pairs: Sequence[Pair]) -> PackedFolder:
        """The packed form of a split, after packing what is missing of it, with a progress bar.

        Args:
            split: Its name.
            pairs: All pairs of it.

        Raises:
            DataError: A pair cannot be read, or there is no room.
        """
        skips = split == "train" and self.on_damaged == "skip"
        packed = PackedFolder(self.existing_root(), split, self.reader(), self.cache_dir, skip_damaged=skips)
        build_with_progress(packed, pairs, split)
        return packed

    def train_dataloader(self) -> TrainLoader:
        """Augmented crops, in a new order each epoch."""
        dataset = self._datasets["train"]
        world_size, _ = self.place()
        count = len(dataset) * self.crops_per_image
        if count // world_size < self.batch_size:
            raise DataConfigError(
                f"{len(dataset)} training images on {world_size} process(es) do not fill one batch of "
                f"{self.batch_size}; lower --data.batch_size, or raise --data.crops_per_image"
            )
        return self.train_loader(
            dataset,
            collate,
            draw=shuffle(len(dataset), self.crops_per_image),
            count=count,
            company=True,
            prepare=self._choose_padding,
            damage=self.damage if self.on_damaged == "skip" else None,
        )

    def teardown(self, stage: str) -> None:
        """Tell of damaged images that were skipped since the last epoch ended."""
        super().teardown(stage)
        self.damage.tell()

    def _choose_padding(self) -> None:
        """Pad crops with the mean that the network's images are normalised by, whichever weights brought it."""
        task = self.trainer.lightning_module if self.trainer else None
        self.transform.pad_value = self.pad_value or mean_pixel(task, self.in_channels)

    def val_dataloader(self) -> DataLoader[dict[str, object]]:
        """Whole images of the val split, in order."""
        return self.eval_loader(self._datasets["val"], collate)

    def test_dataloader(self) -> DataLoader[dict[str, object]]:
        """Whole images of the test split, in order."""
        return self.eval_loader(self._datasets["test"], collate)

    def samples(self, split: str, count: int) -> SegmentationDataset:
        """A few images of a split, evenly spread over it and the same each time, as a data set.

        Args:
            split: train, val or test.
            count: How many at most.
        """
        whole = self._datasets[split]
        step = max(1, len(whole) // max(1, count))
        return SegmentationDataset(whole.pairs[::step][:count], whole.reader)


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
    if "faults" in samples[0]:
        batch["faults"] = [str(sample["faults"]) for sample in samples]
    return batch


def _stack(tensors: list[Tensor]) -> Tensor:
    """One tensor of several; a reading process makes it in memory that the training process shares."""
    stacked: Tensor = default_collate(tensors)
    return stacked
