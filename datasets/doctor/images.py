"""Checks of how images are stored: depth, channels, alpha, orientation, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.examine import SIDEWAYS
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.headers import Header
from foveate.datasets.doctor.sample import Sample
from foveate.datasets.doctor.wording import images, such_as

GREY = ("1", "L", "LA", "I;16", "I;16B", "I", "F")


def deep(facts: Facts) -> Iterable[Found]:
    """Images of 16 bits or more."""
    return _kind(
        facts,
        lambda header: header.dtype not in ("uint8", "float32", "float64", "bool"),
        "of more than 8 bits a value: reading keeps the upper 8 of 16 bits; see whether pictures look dark",
    )


def floats(facts: Facts) -> Iterable[Found]:
    """Images of floating-point values."""
    return _kind(
        facts,
        lambda header: header.dtype in ("float32", "float64", "float16"),
        "of floating-point values: values from 0 to 1 become black; store bytes",
    )


def grey(facts: Facts) -> Iterable[Found]:
    """Grey images."""
    return _kind(facts, lambda header: header.mode in GREY, "in grey, read as three equal channels")


def alpha(facts: Facts) -> Iterable[Found]:
    """Images with transparency."""
    return _kind(facts, lambda header: header.alpha, "with an alpha channel, which is dropped")


def cmyk(facts: Facts) -> Iterable[Found]:
    """Images in the colours of printing."""
    return _kind(
        facts, lambda header: header.mode in ("CMYK", "YCCK"), "in CMYK, converted to RGB without a colour profile"
    )


def pages(facts: Facts) -> Iterable[Found]:
    """Files of several images."""
    return _kind(facts, lambda header: header.pages > 1, "of several pages or frames, of which the first is read")


def _kind(facts: Facts, holds: Callable[[Header], bool], text: str) -> Iterable[Found]:
    places = [place for place, sample in facts.samples() if sample.image is not None and holds(sample.image)]
    if places:
        yield Found(message=f"{images(len(places))} {text}; {such_as(facts, places)}", places=places)


def mixed(facts: Facts) -> Iterable[Found]:
    """Images of several kinds, of which one is rare."""
    kinds: dict[str, list[Place]] = {}
    for place, sample in facts.samples():
        if sample.image is not None:
            kinds.setdefault(f"{sample.image.mode} {sample.image.dtype}", []).append(place)
    total = sum(map(len, kinds.values()))
    for kind, places in kinds.items():
        if len(kinds) > 1 and len(places) < total / 2:
            yield Found(
                message=f"{images(len(places))} of {total} are {kind}, unlike most others; {such_as(facts, places)}",
                places=places,
            )


def turned(facts: Facts) -> Iterable[Found]:
    """Images that EXIF turns, while their mask may not be turned."""
    found = [(place, sample) for place, sample in facts.samples() if sample.image and sample.image.orientation != 1]
    unsure = [place for place, sample in found if facts.is_segmentation and _is_unsure(sample)]
    sure = [place for place, sample in found if not (facts.is_segmentation and _is_unsure(sample))]
    if unsure:
        yield Found(
            message=f"{images(len(unsure))} with an EXIF orientation that turns the image and not its mask, at one and "
            f"the same size, {such_as(facts, unsure)}: turn the pixels and remove the tag (exiftran -ai, mogrify "
            "-auto-orient), and look whether the mask fits",
            places=unsure,
            severity=Severity.ERROR,
            drawn=True,
        )
    if sure:
        yield Found(
            message=f"{images(len(sure))} with an EXIF orientation, which turns them when they are read; "
            f"{such_as(facts, sure)}",
            places=sure,
        )


def _is_unsure(sample: Sample) -> bool:
    """Whether the turned image and the stored one would fit the mask alike."""
    header, size = sample.image, sample.image_size
    if header is None or size is None or sample.mask is None or sample.mask.orientation == header.orientation:
        return False
    return (header.orientation not in SIDEWAYS or size[0] == size[1]) and sample.mask_size in (size, None)


CHECKS = (
    Check(
        id="images.exif",
        severity=Severity.INFO,
        summary="images that EXIF turns; an error where the mask may not be turned with them",
        run=turned,
        cheap=True,
    ),
    Check(
        id="images.float",
        severity=Severity.ERROR,
        summary="images of floating-point values",
        run=floats,
        cheap=True,
    ),
    Check(
        id="images.depth",
        severity=Severity.WARNING,
        summary="images of more than 8 bits a value",
        run=deep,
        cheap=True,
    ),
    Check(id="images.grey", severity=Severity.INFO, summary="grey images", run=grey),
    Check(id="images.alpha", severity=Severity.INFO, summary="images with an alpha channel", run=alpha),
    Check(id="images.cmyk", severity=Severity.WARNING, summary="images in CMYK", run=cmyk),
    Check(id="images.pages", severity=Severity.INFO, summary="files of several pages or frames", run=pages),
    Check(id="images.mixed", severity=Severity.INFO, summary="images of a rare kind", run=mixed),
)
