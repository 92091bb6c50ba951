"""What every classification data module shares: augmentation, sampling, and the loaders of each process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from torch.utils.data import DataLoader, Subset

from foveate.datasets.batch import Pick
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification_options import (
    CLASSIFICATION_DEFAULTS,
    ClassificationOptions,
    create_eval_transform,
    create_train_transform,
)
from foveate.datasets.counting.classes import count_labels
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labelled_images import ClassificationDataset, collate
from foveate.datasets.loading.data_module import LoadingDataModule
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import Draw, balance, first_picks, shuffle
from foveate.datasets.statistics import ClassStatistics
from foveate.datasets.text import to_side


class ClassificationDataModule(LoadingDataModule):
    """Base of the classification data sets; a subclass names its classes and finds its images.

    Each image of an epoch is used once, with any number of processes. A run that is resumed in the middle of an epoch
    continues with the images that are left.

    Args:
        root: The data set's folder.
        options: The options of every classification data set, as described in ClassificationOptions.
    """

    defaults: ClassVar[ClassificationOptions] = CLASSIFICATION_DEFAULTS

    def __init__(self, root: str | None = None, **options: Unpack[ClassificationOptions]) -> None:
        given: ClassificationOptions = self.with_defaults(options)
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
        self.image_size = to_side(given["image_size"], "image_size")
        self.train_transform = create_train_transform(given)
        self.eval_transform = create_eval_transform(given)
        self.sampling = given["sampling"]
        self._datasets: dict[str, ClassificationDataset] = {}
        self._found: dict[str, ClassificationDataset] = {}

    @property
    def label_set(self) -> ClassSet:
        """The classes, in the order of their numbers."""
        raise NotImplementedError

    def find_images(self, split: str) -> ClassificationDataset:
        """The images of a split, train, val or test, without a transform."""
        raise NotImplementedError

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that there are, each with images of its own."""
        return "train", "val"

    def images_of(self, split: str) -> ClassificationDataset:
        """The images of a split, which are looked for once.

        Args:
            split: train, val or test.

        Raises:
            DataError: See `find_images`.
        """
        if split not in self._found:
            self._found[split] = self._find_folded(split)
        return self._found[split]

    def groups_of(self, split: str) -> Sequence[str]:
        """What belongs together, for each image of a split; empty if nobody says so.

        Args:
            split: Its name.
        """
        return ()

    def group_names(self, dataset: ClassificationDataset) -> Sequence[str]:
        """The group of each image; empty if nobody says what belongs together.

        Args:
            dataset: Images of this data set.
        """
        return ()

    def _find_folded(self, split: str) -> ClassificationDataset:
        """The images of a split; with a fold, train and val are parts of train."""
        if self.fold is None or split not in ("train", "val"):
            return self.find_images(split)
        whole = self.find_images("train")
        names = self.group_names(whole) or [whole.where(index) for index in range(len(whole))]
        return whole.select(self.fold.divide(names)[split == "val"])

    def setup(self, stage: str) -> None:
        """Find the images of the stage: fit, validate or test.

        Raises:
            DataError: A folder is missing, a split is empty, or its classes are not those of training.
        """
        for split in {"fit": ["train", "val"], "validate": ["val"], "test": ["test"]}.get(stage, []):
            if split not in self._datasets:
                dataset = self.images_of(split)
                dataset.transform = self.train_transform if split == "train" else self.eval_transform
                self._datasets[split] = dataset

    def train_dataloader(self) -> TrainLoader:
        """Augmented images, in a new order each epoch."""
        dataset = self._datasets["train"]
        world_size, _ = self.place()
        if len(dataset) < world_size:
            raise DataConfigError(
                f"{len(dataset)} training images cannot be shared by {world_size} processes; use fewer devices"
            )
        return self.train_loader(dataset, collate, draw=self.draw(dataset), count=len(dataset))

    def class_statistics(self) -> ClassStatistics:
        """Images of each class in the train split.

        Raises:
            DataError: The split cannot be found.
        """
        dataset = self._datasets.get("train") or self.images_of("train")
        return count_labels(dataset.labels, len(self.label_set))

    def first_picks(self, most: int) -> list[Pick]:
        """The first samples of a training in one process.

        Args:
            most: How many samples at most.
        """
        dataset = self._datasets["train"]
        return first_picks(self.draw(dataset), most, count=len(dataset), seed=self.seed)

    def dataset(self, split: str) -> ClassificationDataset:
        """The samples of a split, after `setup`.

        Args:
            split: train, val or test.
        """
        return self._datasets[split]

    def draw(self, dataset: ClassificationDataset) -> Draw:
        """How an epoch's order is drawn."""
        return balance(dataset.labels) if self.sampling == "balanced" else shuffle(len(dataset))

    def val_dataloader(self) -> DataLoader[Any]:
        """Images of the val split, in order."""
        return self.eval_loader(self._datasets["val"], collate)

    def test_dataloader(self) -> DataLoader[Any]:
        """Images of the test split, in order."""
        return self.eval_loader(self._datasets["test"], collate)

    def samples(self, split: str, count: int) -> Subset[dict[str, object]]:
        """A few images of a split, evenly spread over it and the same each time, as evaluation sees them.

        Args:
            split: train, val or test.
            count: How many at most.
        """
        whole = self._datasets[split]
        step = max(1, len(whole) // max(1, count))
        return Subset(whole, range(0, len(whole), step)[:count])
