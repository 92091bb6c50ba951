"""The options of every segmentation data set, and what is built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from foveate.datasets.augment.albumentations import Augmentations, Pipeline
from foveate.datasets.augment.segmentation import MEAN_PIXEL, Pixel, TrainTransform
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.decoding import MAX_PIXELS
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.turning import Exif
from foveate.datasets.labels import LARGEST_ID
from foveate.datasets.loading.options import WORKER_TIMEOUT, LoadingOptions
from foveate.datasets.text import Size, to_size

GREY = 128
OnDamaged = Literal["error", "skip"]


class SegmentationOptions(LoadingOptions, total=False):
    """What every segmentation data set takes.

    Attributes:
        crop: Height and width of a training sample, as `[512, 512]` or `512x512`.
        crops_per_image: Samples that an epoch takes of each training image; more than 1 for a few large images.
        scale: Range of the factor by which a training image is resized before the crop.
        short_side: Resize a training image to this short side first, in pixels, so that `scale` is relative to that;
            if not given, `scale` is relative to the image's own size. For evaluation set the same in the model's
            `inference`.
        long_side: Limit of the long side in that; an image that would exceed it is resized to this long side.
        max_ratio: Crop again while one class covers more than this share of the labelled pixels.
        flip: Probability of a horizontal flip.
        photometric: Whether training colours are distorted.
        bands: Which bands of an image are read, in this order, counted from 1 as by GDAL and rasterio; alpha counts
            as one. If not given all but alpha, where grey becomes three equal channels.
        range: The values that become 0 and 255, for images of more than 8 bits; those outside become 0 or 255. If not
            given, the smallest and largest value of a sample of training images, which is told and kept.
        exif: Whether an orientation in an image's metadata turns it: `apply`, `ignore`, or `auto`, which takes what
            fits the label map.
        max_pixels: Larger images are refused before they are decoded.
        on_damaged: What a damaged training image does: `error` ends the training, `skip` lets another sample take its
            place, and lists it at the end of the epoch. In evaluation it is always an error.
        pad_value: A byte for each channel that pads a training image smaller than the crop; if not given, the mean
            that images are normalised by, which is 0 afterwards. Padding is ignored by losses and scores.
        augmentations: Further ones of albumentations on the crops: by name, as `{name: GaussianBlur, p: 0.2}`, nested
            in `OneOf`, `SomeOf`, `Sequential` or `Compose`, or a file that `albumentations.save` wrote.
        ignore: Ids in the label files whose pixels neither train nor score, beside those that the data set leaves out
            itself; one number or a list.
        sampling: `rare_classes` draws a part of the training crops by class, rare ones more often: a class, then an
            image that holds it, then a crop that shows it. `natural` takes every image alike.
        rare_share: Share of the crops that `rare_classes` draws by class; the others are drawn as ever.
        copy_paste: Pastes objects of other training images into crops: `{classes: rare, probability: 0.5, count: [1,
            3]}`, or names of classes in place of `rare`. Every paste reads a further image.
        label_map: Merges, renames and ignores classes: a YAML file, or what it holds, such as
            `{classes: {vehicle: [car, truck]}, ignore: [sky], rest: keep}`. `rest` says what becomes of the other
            classes: keep, ignore, or the name of a new class that they join.
        cache: `packed` decodes each image once, and then reads only the rows that a crop shows. It takes 4 bytes a
            pixel of RGB on disk (Cityscapes: 29 GB), and is built when it is needed, or before by foveate data pack.
        cache_dir: Folder for what is packed; `.foveate` in the root if not given.
        batch_size: Training samples per step and device; `auto` takes as many as fit into memory.
        total_batch: Training samples of an optimiser step on all devices together; gradients are accumulated as needed.
        eval_batch_size: Images per step and device in evaluation; above 1 only where all have one size.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
        worker_timeout: Seconds to wait for a batch of the reading processes before they count as hanging; 0 waits for
            good.
        fold: Cross-validation: `2/5` leaves the second of five parts of the training images out, and validates on it in
            place of val. Images of one `group` stay in one part.
    """

    crop: Size
    crops_per_image: int
    scale: tuple[float, float]
    short_side: int | None
    long_side: int | None
    max_ratio: float
    flip: float
    photometric: bool
    pad_value: Pixel | None
    augmentations: Pipeline | None
    ignore: int | list[int] | None
    sampling: Literal["natural", "rare_classes"]
    rare_share: float
    copy_paste: dict[str, Any] | None
    bands: list[int] | None
    range: tuple[float, float] | None
    exif: Exif
    max_pixels: int
    on_damaged: OnDamaged
    label_map: dict[str, Any] | str | None
    cache: Literal["none", "packed"]
    cache_dir: str | None


SEGMENTATION_DEFAULTS: Final = SegmentationOptions(
    batch_size=8,
    eval_batch_size=1,
    num_workers=-1,
    total_batch=None,
    seed=None,
    worker_timeout=WORKER_TIMEOUT,
    fold=None,
    crop=(512, 512),
    crops_per_image=1,
    scale=(0.5, 2.0),
    short_side=None,
    long_side=None,
    max_ratio=0.75,
    flip=0.5,
    photometric=True,
    pad_value=None,
    augmentations=None,
    ignore=None,
    sampling="natural",
    rare_share=0.5,
    copy_paste=None,
    bands=None,
    range=None,
    exif="auto",
    max_pixels=MAX_PIXELS,
    on_damaged="error",
    label_map=None,
    cache="none",
    cache_dir=None,
)


def create_transform(options: SegmentationOptions) -> TrainTransform:
    """The training augmentation that complete options describe.

    Raises:
        DataConfigError: One of them is out of range.
    """
    augmentations, pad_value = options["augmentations"], options["pad_value"]
    if pad_value is not None and not all(0 <= value <= 255 for value in pad_value):
        raise DataConfigError(f"pad_value is a byte for each channel, 0 to 255, not {list(pad_value)}")
    return TrainTransform(
        to_size(options["crop"], "crop"),
        scale=options["scale"],
        fit=_fit(options["short_side"], options["long_side"]),
        max_ratio=options["max_ratio"],
        flip=options["flip"],
        photometric=options["photometric"],
        pad_value=pad_value or MEAN_PIXEL,
        further=Augmentations(augmentations) if augmentations else None,
    )


def create_reader(options: SegmentationOptions) -> ImageReader:
    """How complete options say that images are read.

    Raises:
        DataConfigError: One of them is out of range.
    """
    bands, span = options["bands"], options["range"]
    return ImageReader(
        bands=None if bands is None else tuple(bands),
        range=None if span is None else (span[0], span[1]),
        exif=options["exif"],
        max_pixels=options["max_pixels"],
    )


def _fit(short_side: int | None, long_side: int | None) -> tuple[int, int | None] | None:
    if short_side is None and long_side is not None:
        raise DataConfigError("long_side limits what short_side asks for: give short_side too")
    if short_side is not None and not 1 <= short_side <= (long_side or short_side):
        raise DataConfigError(f"short_side is at least 1 and at most long_side, not {short_side} and {long_side}")
    return None if short_side is None else (short_side, long_side)


def mean_pixel(task: Any, channels: int = 3) -> Pixel:
    """The mean that a task normalises images by, in whole bytes; ImageNet's, or grey, where it has none.

    Args:
        task: The task that trains, or None. Its `normalise.mean`, if there is one, holds C values in 0-255.
        channels: The images' number C of channels.
    """
    mean = getattr(getattr(task, "normalise", None), "mean", None)
    if mean is None or mean.numel() != channels:
        return MEAN_PIXEL if channels == len(MEAN_PIXEL) else (GREY,) * channels
    return tuple(min(255, max(0, round(float(value)))) for value in mean.flatten())


def check_share(name: str, value: float) -> float:
    """The value of an option that is a share.

    Args:
        name: The option, for the message.
        value: What was given.

    Raises:
        DataConfigError: It is not 0 to 1.
    """
    if not 0 <= value <= 1:
        raise DataConfigError(f"{name} is 0 to 1, not {value}")
    return value


def to_ids(ignore: int | Sequence[int] | None) -> list[int]:
    """The ids to ignore, as a list.

    Raises:
        DataConfigError: One is no id of an image file.
    """
    ids = [ignore] if isinstance(ignore, int) else list(ignore or [])
    if wrong := [number for number in ids if not 0 <= number <= LARGEST_ID]:
        raise DataConfigError(f"ignore holds ids of label files, 0 to {LARGEST_ID}, not {wrong[0]}")
    return ids
