"""The options of every classification data set, and what is built from them."""

from __future__ import annotations

from typing import Final, Literal

from foveate.datasets.augment.classification import (
    ClassifierEvalTransform,
    ClassifierTrainTransform,
    Crop,
    Interpolation,
    Views,
)
from foveate.datasets.loading.options import WORKER_TIMEOUT, LoadingOptions
from foveate.datasets.text import Side, to_side


class ClassificationOptions(LoadingOptions, total=False):
    """What every classification data set takes.

    Attributes:
        image_size: Side of the square images that the network gets, in pixels, as `224` or `224x224`.
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
        eval_views: What evaluation averages the probabilities of: `center`, one view; `flip`, that and its mirror
            image; `five_crop`, the centre and the four corners; `ten_crop`, these and their mirror images.
        sampling: `balanced` draws every class equally often and repeats images of rare ones.
        batch_size: Training images per step and device; `auto` takes as many as fit into memory.
        total_batch: Training images of an optimiser step on all devices together; gradients are accumulated as needed.
        eval_batch_size: Images per step and device in evaluation; as many as in training if not given.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
        worker_timeout: Seconds to wait for a batch of the reading processes before they count as hanging; 0 waits for
            good.
        fold: Cross-validation: `2/5` leaves the second of five parts of the training images out, and validates on it in
            place of val. Images of one `group` stay in one part.
    """

    image_size: Side
    crop: Crop
    scale: tuple[float, float]
    ratio: tuple[float, float]
    padding: int
    flip: float
    rotation: float
    shift: float
    randaugment: int
    magnitude: int
    crop_ratio: float | None
    interpolation: Interpolation
    eval_views: Views
    sampling: Literal["natural", "balanced"]


CLASSIFICATION_DEFAULTS: Final = ClassificationOptions(
    batch_size=64,
    eval_batch_size=None,
    num_workers=-1,
    total_batch=None,
    seed=None,
    worker_timeout=WORKER_TIMEOUT,
    fold=None,
    image_size=224,
    crop="random_resized",
    scale=(0.08, 1.0),
    ratio=(3 / 4, 4 / 3),
    padding=4,
    flip=0.5,
    rotation=0.0,
    shift=0.0,
    randaugment=0,
    magnitude=9,
    crop_ratio=0.875,
    interpolation="bicubic",
    eval_views="center",
    sampling="natural",
)


def create_train_transform(options: ClassificationOptions) -> ClassifierTrainTransform:
    """The training augmentation that complete options describe.

    Raises:
        DataConfigError: One of them is out of range.
    """
    scale, ratio = options["scale"], options["ratio"]
    return ClassifierTrainTransform(
        to_side(options["image_size"], "image_size"),
        crop=options["crop"],
        scale=(scale[0], scale[1]),
        ratio=(ratio[0], ratio[1]),
        padding=options["padding"],
        flip=options["flip"],
        rotation=options["rotation"],
        shift=options["shift"],
        randaugment=options["randaugment"],
        magnitude=options["magnitude"],
    )


def create_eval_transform(options: ClassificationOptions) -> ClassifierEvalTransform:
    """What evaluation does to an image, as complete options describe it.

    Raises:
        DataConfigError: One of them is out of range.
    """
    side = to_side(options["image_size"], "image_size")
    return ClassifierEvalTransform(
        side,
        crop_ratio=options["crop_ratio"],
        interpolation=options["interpolation"],
        views=options["eval_views"],
    )
