"""Reads one pair of files once, and keeps what checks ask about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from foveate.datasets.doctor.examine_mask import examine_mask, mapped
from foveate.datasets.doctor.headers import Header, Size, read_header
from foveate.datasets.doctor.objects import object_sides, window
from foveate.datasets.doctor.sample import Sample, Trouble
from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.pairs import ENDINGS, Pair
from foveate.datasets.files.turning import SIDEWAYS
from foveate.datasets.labels import Table
from foveate.datasets.masks.reader import MaskReader

THUMB = 16  # side of the grey thumbnail that images are compared by
DIGEST = 16  # bytes
Pixels = UInt8[np.ndarray, "H W C"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done with one pair.

    Attributes:
        index: Its position in the split.
        pair: Its files.
        held: Read the label map.
        pixels: Decode the image, and take its digest.
        objects: Measure objects of so many classes; 0 for none.
        label: Class of the image, in a data set of classes.
    """

    index: int
    pair: Pair
    held: bool = False
    pixels: bool = False
    objects: int = 0
    label: int = -1


@dataclass(frozen=True)
class Examiner:
    """Examines pairs.

    Args:
        read: Decodes an image file.
        masks: Reads label maps, before the label map of classes; None if the classes are not known.
        with_masks: Whether there are label maps at all.
        table: What the label map of classes makes of each train id, if there is one.
        clipped: Share of an image's values that become bytes by being clipped; None where values are bytes already.
    """

    read: Callable[[Path], Pixels]
    masks: MaskReader | None
    with_masks: bool
    table: Table | None = None
    clipped: Callable[[Path], float] | None = None

    def __call__(self, job: Job) -> Sample:
        """What is known of a pair; what cannot be read is noted."""
        sample = Sample(job.index, label=job.label)
        image = _header(sample, job.pair.image, "image")
        if image is not None:
            sample.image, sample.image_size = image
            if job.pixels:
                self._examine_image(sample, job.pair.image)
        if self.with_masks:
            self._examine_mask(sample, job)
        return sample

    def _examine_image(self, sample: Sample, path: Path) -> None:
        try:
            sample.content = hashlib.blake2b(path.read_bytes(), digest_size=DIGEST).digest()
            sample.thumbnail = thumbnail(self.read(path))
            if self.clipped is not None:
                sample.clipped = self.clipped(path)
        except (DamagedError, OSError) as error:
            sample.add(Trouble.DAMAGED, "image", error)
        except DataError as error:
            sample.add(Trouble.UNLIKE, "image", error)

    def _examine_mask(self, sample: Sample, job: Job) -> None:
        files = job.pair.parts or (job.pair.label,)
        headers = [_header(sample, file, "mask") for file in files if file.suffix.lower() in ENDINGS]
        if any(header is None for header in headers):
            return
        if headers and headers[0] is not None:
            sample.mask, sample.mask_size = headers[0]
        if not job.held:
            return
        ids = examine_mask(sample, job.pair, self.masks, wanted=job.objects > 0)
        if sample.held is not None:
            sample.mask_size = sample.held.size
            if self.table is not None:
                sample.held.ids = mapped(sample.held.ids, self.table)
        if ids is not None and job.objects:
            part = window(ids, job.index)
            sample.sides = object_sides(part if self.table is None else self.table[part], job.objects)


def _header(sample: Sample, path: Path, side: str) -> tuple[Header, Size] | None:
    try:
        return read_header(path)
    except DataError as error:
        sample.add(Trouble.EMPTY if _is_empty(path) else Trouble.DAMAGED, side, error)
        return None


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def thumbnail(pixels: Pixels) -> bytes:
    """16 x 16 grey bytes of an image.

    Args:
        pixels: Bytes of any number of channels.
    """
    channels = pixels.shape[2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if channels == 3 else np.ascontiguousarray(pixels[..., 0])
    while min(grey.shape) >= 4 * THUMB and grey.shape[0] % 2 == grey.shape[1] % 2 == 0:  # OpenCV halves fast
        grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA), dtype=np.uint8).tobytes()


def upright(size: Size, header: Header) -> Size:
    """Height and width of an image after its EXIF orientation.

    Args:
        size: As stored.
        header: Its header.
    """
    return (size[1], size[0]) if header.orientation in SIDEWAYS else size
