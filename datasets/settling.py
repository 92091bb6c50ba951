"""What is found from the images of a data set before they are read: channels, depth, and the range of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from foveate.datasets.counting.channels import channel_moments, count_levels
from foveate.datasets.errors import DamagedError, DataConfigError
from foveate.datasets.files.image_reader import RGB, ImageReader
from foveate.datasets.files.survey import Survey, check_alike, notes_of, spread, survey_images
from foveate.datasets.files.value_range import Extent, Values, measure

THINNED = 250_000  # pixels of an image, about, whose mean and standard deviation are taken
MEASURED = 64  # training images, at most, that the range of values is taken from


@dataclass(frozen=True)
class SettledImages:
    """How the images of a data set are read, once some of them were looked at.

    Attributes:
        reader: Reads them; it knows the number of channels, and the range of values of more than 8 bits.
        is_deep: Whether their values are no bytes.
        range_is_found: Whether the range was found from the images, and not given.
        lines: What there is to tell about them.
    """

    reader: ImageReader
    is_deep: bool = False
    range_is_found: bool = False
    lines: tuple[str, ...] = ()


def settle_images(splits: Mapping[str, Sequence[Path]], reader: ImageReader) -> SettledImages:
    """Look at the headers of some images of each split, and settle how all are read.

    Args:
        splits: The images of each split; the range of values is taken from `train`.
        reader: How the user wants them read.

    Raises:
        DataError: Images differ in channels or depth.
        DataConfigError: They have more than 8 bits, no range is given, and there is no training split to take it from.
    """
    parts = [survey_images(paths) for paths in splits.values()]
    survey = Survey(
        tuple(path for part in parts for path in part.paths),
        tuple(kind for part in parts for kind in part.kinds),
        sum(part.total for part in parts),
    )
    check_alike(survey, reader)
    lines = notes_of(survey, reader)
    if not survey.kinds:
        return SettledImages(reader)
    first = survey.kinds[0]
    settled = replace(reader, channels=first.bands_read(reader.bands))
    is_deep = any(kind.is_deep for kind in survey.kinds)
    if not is_deep or reader.range is not None:
        return SettledImages(settled, is_deep, lines=tuple(lines))
    extent = _measure(splits, reader, first.depth)
    line = f"{first.depth} images: values {extent.low:.6g} to {extent.high:.6g} of training images"
    span = f"{extent.span[0]:.6g} to {extent.span[1]:.6g}"
    missing = f", NaN and no data ({100 * extent.without:.1f} %) to 0" if extent.without else ""
    lines.append(f"{line}: {span} is mapped to 0-255{missing}; give --data.range [LOW, HIGH] for another")
    return SettledImages(replace(settled, range=extent.span), is_deep, True, tuple(lines))


def _measure(splits: Mapping[str, Sequence[Path]], reader: ImageReader, depth: str) -> Extent:
    if "train" not in splits:
        raise DataConfigError(
            f"{depth} images: give --data.range [LOW, HIGH], the values that become 0 and 255, since there is no "
            "training split to take them from"
        )
    paths = splits["train"]
    return measure(_values(reader, [paths[index] for index in spread(len(paths), MEASURED)]))


def _values(reader: ImageReader, paths: Sequence[Path]) -> Iterator[tuple[Values, float | None]]:
    for path in paths:
        try:
            stored = reader.load_values(path)
        except DamagedError:  # reported where it is read
            continue
        yield stored.values, stored.nodata


def channel_statistics(images: Iterator[np.ndarray]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of images as bytes, in 0-255.

    Args:
        images: Bytes (H, W, C), of one C; large ones are thinned out.

    Example:
        >>> channel_statistics(iter([np.array([[[0, 7], [2, 7]]], np.uint8)]))
        ([1.0, 7.0], [1.0, 1.0])
    """
    counts: np.ndarray | None = None
    for image in images:
        step = max(1, int((image.shape[0] * image.shape[1] / THINNED) ** 0.5))
        thin = image[::step, ::step]
        found = count_levels(thin)
        counts = found if counts is None else counts + found
    if counts is None:
        return [127.5] * RGB, [127.5] * RGB
    means, stds = (255 * values for values in channel_moments(counts))
    return means.tolist(), stds.clip(min=1).tolist()  # a constant channel is not divided by 0
