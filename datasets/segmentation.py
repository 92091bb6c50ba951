"""What every segmentation data module shares: reading pairs, augmentation, and the loaders of each process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from foveate.datasets.augment.draw import Draw, Paste
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.copy_paste import CopyPaste, CopyPasteOptions, class_probabilities, parse_copy_paste
from foveate.datasets.counting.classes import ClassCounts, count_classes
from foveate.datasets.counting.stored import cached_counts, counts_path
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.label_map import Mapped, apply_label_map, parse_label_map, read_label_map
from foveate.datasets.labels import IGNORE, LabelSet, Table, ignore_ids
from foveate.datasets.loading.data_module import LoadingDataModule, at_least_one
from foveate.datasets.loading.rare_classes import RareClassOrder
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import Draw as DrawOrder
from foveate.datasets.loading.train_order import shuffle
from foveate.datasets.masks.mapped import MappedMasks
from foveate.datasets.masks.reader import MaskReader, PairReader
from foveate.datasets.masks.values import ValueMasks
from foveate.datasets.packed.folder import HOME, PackedFolder, build_with_progress
from foveate.datasets.progress import bar
from foveate.datasets.segmentation_options import (
    SEGMENTATION_DEFAULTS,
    SegmentationOptions,
    check_share,
    create_transform,
    mean_pixel,
    to_ids,
)
from foveate.datasets.statistics import ClassStatistics


class SegmentationDataset(Dataset[dict[str, object]]):
    """Pairs of image and label map, as bytes.

    Args:
        pairs: The files.
        reader: Reads a pair.
        transform: Augmentation; None gives images and masks at their own size.
        packed: Where the pairs are packed; None decodes the files.

    Attributes:
        copy_paste: Pastes objects into what the transform cuts out; None pastes nothing.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        reader: PairReader,
        transform: TrainTransform | None = None,
        packed: PackedFolder | None = None,
    ) -> None:
        self.pairs = pairs
        self.reader = reader
        self.transform = transform
        self.packed = packed
        self.copy_paste: CopyPaste | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        image, mask = self.read(pick.index)
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=pick.seed, target=pick.target, paste=self._paste(pick))
        if pick.blank:
            mask = np.full_like(mask, IGNORE)
        return {
            "image": torch.from_numpy(_own(image)).permute(2, 0, 1),  # stays in channels_last order
            "mask": torch.from_numpy(_own(mask)),
            "path": str(self.pairs[pick.index].image),
        }

    def explain(self, pick: Pick) -> tuple[tuple[np.ndarray, np.ndarray], Draw | None]:
        """Image (h, w, C) and train ids (h, w) of the same sample, and what was drawn for it, if there is a transform.

        Args:
            pick: The sample.
        """
        image, mask = self.read(pick.index)
        if self.transform is None:
            return (image, mask), None
        return self.transform.explain(image, mask, seed=pick.seed, target=pick.target, paste=self._paste(pick))

    def _paste(self, pick: Pick) -> Paste | None:
        if self.copy_paste is None:
            return None
        return partial(self.copy_paste.paste, read=self.read, index=pick.index, seed=pick.seed)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) and train ids (H, W) of a pair at their own size; views of its file if it is packed."""
        pair = self.pairs[index]
        return self.reader.read(pair) if self.packed is None else self.packed.read(pair)

    def read_mask(self, index: int) -> np.ndarray:
        """Train ids (H, W) of a pair alone."""
        pair = self.pairs[index]
        return self.reader.masks.read(pair) if self.packed is None else self.packed.read(pair)[1]


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
        self.crops_per_image = at_least_one("crops_per_image", given["crops_per_image"])
        self.transform = create_transform(given)
        self.ignored = to_ids(given["ignore"])
        self.sampling = given["sampling"]
        self.rare_share = check_share("rare_share", given["rare_share"])
        self.copy_paste = None if given["copy_paste"] is None else parse_copy_paste(given["copy_paste"])
        self.cache = given["cache"]
        self.cache_dir = None if given["cache_dir"] is None else Path(given["cache_dir"]).expanduser()
        self._datasets: dict[str, SegmentationDataset] = {}
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
        return {} if self.label_map is None else {"label_map": self.label_map}

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
        return PairReader(masks if self.mapped is None else MappedMasks(masks, self.mapped.table))

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
                self._datasets[split] = SegmentationDataset(pairs, self.reader(), transform, packed)
        if stage == "fit" and self.copy_paste is not None:
            self._datasets["train"].copy_paste = self._create_copy_paste(self.copy_paste)

    def _create_copy_paste(self, options: CopyPasteOptions) -> CopyPaste:
        counts = self.class_counts
        probabilities = class_probabilities(options, self.label_set.names, counts)
        return CopyPaste(options, probabilities, counts.presence, self.transform.scales)

    def pack(self, split: str, pairs: Sequence[Pair]) -> PackedFolder:
        """The packed form of a split, after packing what is missing of it, with a progress bar.

        Args:
            split: Its name.
            pairs: All pairs of it.

        Raises:
            DataError: A pair cannot be read, or there is no room.
        """
        packed = PackedFolder(self.existing_root(), split, self.reader(), self.cache_dir)
        build_with_progress(packed, pairs, split)
        return packed

    @cached_property
    def class_counts(self) -> ClassCounts:
        """The classes of the train split: counted once, with a progress bar, and kept in `.foveate`.

        Raises:
            DataError: The split cannot be found, or a label map cannot be read.
        """
        dataset = self._datasets.get("train") or SegmentationDataset(self.find_pairs("train"), self.reader())
        root, masks, num_classes = self.existing_root(), dataset.reader.masks, len(self.label_set)
        path = counts_path(self.cache_dir or root / HOME, root, dataset.pairs, masks.key, num_classes)

        def count() -> ClassCounts:
            with bar("counting classes") as advance:
                return count_classes(dataset.read_mask, len(dataset), num_classes, advance)

        return cached_counts(path, count)

    def class_statistics(self) -> ClassStatistics:
        """Pixels and images of each class in the train split, the same in every process.

        Raises:
            DataError: The split cannot be found, or a label map cannot be read.
        """
        return self.class_counts.statistics

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
        draw, targets = self.draws()
        return self.train_loader(
            dataset,
            collate,
            draw=draw,
            count=count,
            company=True,
            prepare=self._choose_padding,
            targets=targets,
        )

    def draws(self) -> tuple[DrawOrder, DrawOrder | None]:
        """How an epoch's order is drawn, and the class that each of its crops is to show, if any."""
        if self.sampling == "natural":
            return shuffle(len(self._datasets["train"]), self.crops_per_image), None
        order = RareClassOrder(self.class_counts, self.rare_share, self.crops_per_image)
        return order.images, order.targets

    def _choose_padding(self) -> None:
        """Pad crops with the mean that the network's images are normalised by, whichever weights brought it."""
        task = self.trainer.lightning_module if self.trainer else None
        self.transform.pad_value = self.pad_value or mean_pixel(task)

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
    return batch


def _stack(tensors: list[Tensor]) -> Tensor:
    """One tensor of several; a reading process makes it in memory that the training process shares."""
    stacked: Tensor = default_collate(tensors)
    return stacked
