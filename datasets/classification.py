"""What every classification data module shares: augmenting images, sampling them, and handing each process its part."""

from __future__ import annotations

from typing import Any, Literal

from torch.utils.data import DataLoader, Subset

from foveate.datasets.augment.classification import (
    ClassifierEvalTransform,
    ClassifierTrainTransform,
    Crop,
    Interpolation,
)
from foveate.datasets.classes import ClassSet
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labelled_images import ClassificationDataset, collate
from foveate.datasets.loading.data_module import LoadingDataModule, at_least_one
from foveate.datasets.loading.train_loader import TrainLoader
from foveate.datasets.loading.train_order import Draw, balance, shuffle

Sampling = Literal["natural", "balanced"]


class ClassificationDataModule(LoadingDataModule):
    """Base of the classification data sets; a subclass names its classes and finds its images.

    Each image of an epoch trains once, whatever the number of processes, and a run that is resumed in the middle of an
    epoch goes on with those that are left.

    Args:
        root: The data set's folder.
        image_size: Side of the square images that the network gets, in pixels.
        batch_size: Training images per step and device.
        eval_batch_size: Images per step and device where nothing is learnt; as many as for training if not given.
        crop: How training images are cut: random_resized, padded (small images) or none.
        scale: Range of the share of the area that a random resized crop keeps.
        ratio: Range of a random resized crop's width over height.
        padding: Black pixels round a padded crop.
        flip: Probability of a horizontal flip.
        rotation: Largest random turn, in degrees.
        shift: Largest random shift, as a share of the side.
        randaugment: Number of RandAugment operations on each training image.
        magnitude: Strength of RandAugment, 0 to 10.
        crop_ratio: Share of the shorter side that evaluation's central crop keeps; null resizes the whole image.
        interpolation: How evaluation resizes: bicubic (timm's), bilinear (torchvision's), nearest, or lanczos.
        sampling: `balanced` draws every class equally often and repeats images of rare ones.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        image_size: int = 224,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        crop: Crop = "random_resized",
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        padding: int = 4,
        flip: float = 0.5,
        rotation: float = 0.0,
        shift: float = 0.0,
        randaugment: int = 0,
        magnitude: int = 9,
        crop_ratio: float | None = 0.875,
        interpolation: Interpolation = "bicubic",
        sampling: Sampling = "natural",
        num_workers: int = -1,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            root,
            batch_size=batch_size,
            eval_batch_size=batch_size if eval_batch_size is None else eval_batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        self.image_size = at_least_one("image_size", image_size)
        self.train_transform = ClassifierTrainTransform(
            image_size,
            crop=crop,
            scale=(scale[0], scale[1]),
            ratio=(ratio[0], ratio[1]),
            padding=padding,
            flip=flip,
            rotation=rotation,
            shift=shift,
            randaugment=randaugment,
            magnitude=magnitude,
        )
        self.eval_transform = ClassifierEvalTransform(image_size, crop_ratio=crop_ratio, interpolation=interpolation)
        self.sampling = sampling
        self._datasets: dict[str, ClassificationDataset] = {}

    @property
    def label_set(self) -> ClassSet:
        """The classes, in the order of their numbers."""
        raise NotImplementedError

    def find_images(self, split: str) -> ClassificationDataset:
        """The images of a split, train, val or test, without a transform."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """Find the images of the stage: fit, validate or test.

        Raises:
            DataError: A folder is missing, a split is empty, or its classes are not those of training.
        """
        for split in {"fit": ["train", "val"], "validate": ["val"], "test": ["test"]}.get(stage, []):
            if split not in self._datasets:
                dataset = self.find_images(split)
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
        """The same few images of a split each time, spread over it, as evaluation sees them."""
        whole = self._datasets[split]
        step = max(1, len(whole) // max(1, count))
        return Subset(whole, range(0, len(whole), step)[:count])
