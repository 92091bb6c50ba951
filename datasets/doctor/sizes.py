"""Checks of heights and widths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.examine import upright
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.headers import Size
from foveate.datasets.doctor.sample import Sample
from foveate.datasets.doctor.wording import images, percent
from foveate.datasets.files.turning import Exif
from foveate.datasets.text import few

FEW = 5  # percent of the images that may be smaller than the crop that is advised


def differing(facts: Facts) -> Iterable[Found]:
    """Images of another size than their mask."""
    found = [(place, sample) for place, sample in facts.samples() if not _fits(sample, facts.exif)]
    if found:
        place, sample = found[0]
        assert sample.image_size is not None
        assert sample.mask_size is not None
        yield Found(
            message=f"{images(len(found))} of another size than the mask: {facts.path(place)} is "
            f"{_said(sample.image_size)}, {facts.path(place, 'mask')} is {_said(sample.mask_size)} (height x width); "
            "store both at one size, masks resized by nearest neighbour",
            places=[place for place, _ in found],
            drawn=True,
        )


def _fits(sample: Sample, exif: Exif) -> bool:
    """Whether a mask has the size of its image, turned as the options say."""
    if sample.image is None or sample.image_size is None or sample.mask_size is None:
        return True
    turned = upright(sample.image_size, sample.image)
    allowed = {"auto": (turned, sample.image_size), "apply": (turned,), "ignore": (sample.image_size,)}
    return sample.mask_size in allowed[exif]


def _said(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def smaller_than_crop(facts: Facts) -> Iterable[Found]:
    """Train images that do not fill a crop, and so are padded."""
    if facts.crop is None or "train" not in facts.splits:
        return
    height, width = facts.crop
    sizes = {
        sample.index: upright(sample.image_size, sample.image)
        for sample in facts.splits["train"].samples
        if sample.image_size is not None and sample.image is not None
    }
    small = [place for place, size in sizes.items() if size[0] < height or size[1] < width]
    if small:
        low, narrow = (int(side) for side in np.percentile([*sizes.values()], FEW, axis=0, method="lower"))
        yield Found(
            message=f"{percent(len(small) / len(sizes))} of the train images are smaller than the crop of "
            f"{_said(facts.crop)} ({100 - FEW} % are at least {low} high and {narrow} wide): the rest of a crop is "
            "padding, which is not trained on; a smaller --data.crop costs less",
            places=[Place("train", place) for place in small],
            numbers={"height": low, "width": narrow},
        )


def several_sizes(facts: Facts) -> Iterable[Found]:
    """Images of several sizes, where an evaluation puts several into one batch."""
    if not facts.is_segmentation or facts.eval_batch == 1:
        return
    for name in facts.splits:
        counts: Counter[Size] = Counter()
        for sample in facts.splits[name].samples:
            if sample.image is not None and sample.image_size is not None:
                counts[upright(sample.image_size, sample.image)] += 1
        if name != "train" and len(counts) > 1:
            shown = few(f"{_said(size)} ({count})" for size, count in counts.most_common())
            yield Found(
                message=f"{name} has images of {len(counts)} sizes, {shown}, and an evaluation takes "
                f"{facts.eval_batch} in a batch: give --data.eval_batch_size 1",
                count=len(counts),
            )


CHECKS = (
    Check(
        id="sizes.differ",
        severity=Severity.ERROR,
        summary="images of another size than their mask",
        run=differing,
        cheap=True,
    ),
    Check(
        id="sizes.batch",
        severity=Severity.ERROR,
        summary="images of several sizes, with more than one in a batch of an evaluation",
        run=several_sizes,
    ),
    Check(
        id="sizes.small",
        severity=Severity.INFO,
        summary="train images smaller than the crop",
        run=smaller_than_crop,
    ),
)
