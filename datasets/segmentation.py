"""What every segmentation data module shares: files, options, class counts, and the loaders of each process."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Unpack

from torch.utils.data import DataLoader

from foveate.datasets.batch import Pick
from foveate.datasets.copy_paste import CopyPaste, CopyPasteOptions, class_probabilities, parse_copy_paste
from foveate.datasets.counting.classes import ClassCounts, count_classes
from foveate.datasets.counting.stored import cached_counts, counts_path
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.image_reader import RGB
from foveate.datasets.files.pair_list import PairList
from foveate.datasets.files.pairs import Pair, Paths
from foveate.datasets.label_map import Mapped, apply_label_map, parse_label_map, read_label_map
from foveate.datasets.labelled_pairs import SegmentationDataset, collate
from foveate.datasets.labels import LabelSet, Table, ignore_ids
from foveate.datasets.loading.damage import DamageLog
from foveate.datasets.loading.data_module import LoadingDataModule, at_least_one
from foveate.datasets.loading.rare_classes import RareClassOrder
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import Draw, first_picks, shuffle
from foveate.datasets.masks.mapped import MappedMasks
from foveate.datasets.masks.reader import MaskReader, PairReader
from foveate.datasets.masks.values import ValueMasks
from foveate.datasets.packed.folder import HOME, PackedFolder, build_with_progress
from foveate.datasets.progress import bar
from foveate.datasets.segmentation_options import (
    SEGMENTATION_DEFAULTS,
    SegmentationOptions,
    check_share,
    create_reader,
    create_transform,
    mean_pixel,
    to_ids,
)
from foveate.datasets.settling import MEASURED, SettledImages, channel_statistics, settle_images
from foveate.datasets.statistics import ClassStatistics

SKIPPED = "skipped.txt"  # the damaged files that a training skipped, if a line cannot hold them

log = logging.getLogger(__name__)


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
            total_batch=given["total_batch"],
            eval_batch_size=given["eval_batch_size"],
            num_workers=given["num_workers"],
            seed=given["seed"],
            worker_timeout=given["worker_timeout"],
            fold=given["fold"],
        )
        self.pad_value = given["pad_value"]
        self.given_images = create_reader(given)
        self.on_damaged = given["on_damaged"]
        self.damage = DamageLog(None if self.root is None else self.root / HOME / SKIPPED)
        self.crops_per_image = at_least_one("crops_per_image", given["crops_per_image"])
        self.transform = create_transform(given)
        self.ignored = to_ids(given["ignore"])
        self.sampling = given["sampling"]
        self.rare_share = check_share("rare_share", given["rare_share"])
        self.copy_paste = None if given["copy_paste"] is None else parse_copy_paste(given["copy_paste"])
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

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that there are, each with pairs of its own."""
        return "train", "val"

    def skip_unpaired(self) -> None:
        """Leave files without partner out from now on, in a data set that would refuse them."""

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
            self._pairs[split] = self._find_folded(split)
        return self._pairs[split]

    def group_names(self, pairs: Sequence[Pair]) -> Sequence[str]:
        """The group of each pair; empty if nobody says what belongs together.

        Args:
            pairs: Pairs of this data set.
        """
        return ()

    def _find_folded(self, split: str) -> Sequence[Pair]:
        """The pairs of a split; with a fold, train and val are parts of train."""
        if self.fold is None or split not in ("train", "val"):
            return self.find_pairs(split)
        pairs = self.find_pairs("train")
        root = self.existing_root()
        names = self.group_names(pairs) or [os.path.relpath(pair.image, root) for pair in pairs]
        chosen = self.fold.divide(names)[split == "val"]
        return pairs.select(chosen) if isinstance(pairs, PairList) else [pairs[place] for place in chosen.tolist()]

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
            if split == "test" and (found or any(isinstance(error, DataConfigError) for error in errors)):
                break  # a setting is wrong, such as that no folder is given: test would say no more
            try:
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
        if stage == "fit" and self.copy_paste is not None:
            self._datasets["train"].copy_paste = self._create_copy_paste(self.copy_paste)

    def _create_copy_paste(self, options: CopyPasteOptions) -> CopyPaste:
        counts = self.class_counts
        probabilities = class_probabilities(options, self.label_set.names, counts)
        return CopyPaste(options, probabilities, counts.presence, self.transform.scales)

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

    @cached_property
    def class_counts(self) -> ClassCounts:
        """The classes of the train split: counted once, with a progress bar, and kept in `.foveate`.

        Raises:
            DataError: The split cannot be found, or a label map cannot be read.
        """
        dataset = self._datasets.get("train") or SegmentationDataset(self.pairs_of("train"), self.reader())
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
            damage=self.damage if self.on_damaged == "skip" else None,
        )

    def draws(self) -> tuple[Draw, Draw | None]:
        """How an epoch's order is drawn, and the class that each of its crops is to show, if any."""
        if self.sampling == "natural":
            return shuffle(len(self._datasets["train"]), self.crops_per_image), None
        order = RareClassOrder(self.class_counts, self.rare_share, self.crops_per_image)
        return order.images, order.targets

    def teardown(self, stage: str) -> None:
        """Tell of damaged images that were skipped since the last epoch ended."""
        super().teardown(stage)
        self.damage.tell()

    def first_picks(self, most: int) -> list[Pick]:
        """The first samples of a training in one process, with crops padded as `pad_value` says.

        Args:
            most: How many samples at most.
        """
        self._choose_padding()
        draw, targets = self.draws()
        count = len(self._datasets["train"]) * self.crops_per_image
        return first_picks(draw, most, count=count, seed=self.seed, targets=targets)

    def dataset(self, split: str) -> SegmentationDataset:
        """The samples of a split, after `setup`.

        Args:
            split: train, val or test.
        """
        return self._datasets[split]

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
