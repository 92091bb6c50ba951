"""Checks of how images are stored: depth, channels, alpha, orientation, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.headers import Header
from foveate.datasets.doctor.sample import Sample, Trouble
from foveate.datasets.doctor.wording import images, such_as
from foveate.datasets.files.turning import SIDEWAYS
from foveate.datasets.text import few

BYTES = ("uint8", "bool")
CLIPPED = 0.05  # share of values; stretching an image commonly clips 1 or 2 of 100 at each end
GREY = ("1", "L", "LA", "I;16", "I;16B", "I", "F")

TURNED = {"auto": "are turned where that fits their mask", "apply": "are turned by it", "ignore": "are not turned"}


def unlike(facts: Facts) -> Iterable[Found]:
    """Images that cannot be read together, since channels or depths differ."""
    yield from (Found(message=one.message, count=1) for one in facts.unread if one.kind == "kinds")
    found = [(place, text) for place, _, text in facts.troubles(Trouble.UNLIKE)]
    if found:
        yield Found(
            message=f"{images(len(found))} that the options do not read: {few((text for _, text in found), 2, '; ')}",
            places=[place for place, _ in found],
        )


def deep(facts: Facts) -> Iterable[Found]:
    """Images of 16 bits or more."""
    if facts.is_segmentation:
        text = f"of more than 8 bits a value{_range(facts)}"
    else:
        text = "of more than 8 bits a value, of which the upper 8 are kept: store bytes if pictures look dark"
    return _kind(facts, lambda header: header.dtype not in BYTES and not header.is_float, text, _mapped(facts))


def floats(facts: Facts) -> Iterable[Found]:
    """Images of floating-point values."""
    if facts.is_segmentation:
        return _kind(facts, _is_float, f"of floating-point values{_range(facts)}", _mapped(facts))
    return _kind(facts, _is_float, "of floating-point values: those from 0 to 1 become black; store bytes")


def _is_float(header: Header) -> bool:
    return header.is_float


def _mapped(facts: Facts) -> Severity | None:
    """Values that a range maps to bytes are no fault."""
    return None if facts.range is None else Severity.INFO


def _range(facts: Facts) -> str:
    if facts.range is None:
        return ": give --data.range [LOW, HIGH], the values that become 0 and 255"
    found = ", found from train images" if facts.range_is_found else ""
    low, high = facts.range
    return f": {low:.6g} to {high:.6g}{found}, become 0 to 255 and what is outside is clipped (--data.range)"


def clipped(facts: Facts) -> Iterable[Found]:
    """Images that lose much to the range of values."""
    held = sorted(
        ((sample.clipped, place) for place, sample in facts.samples() if sample.clipped > CLIPPED), reverse=True
    )
    if held and facts.range is not None:
        low, high = facts.range
        places = [place for _, place in held]
        most = f"up to {held[0][0]:.0%}, in {such_as(facts, places)}"
        yield Found(
            message=f"{images(len(places))} with more than {CLIPPED:.0%} of the values outside {low:.6g} to "
            f"{high:.6g}, which become 0 or 255: {most}; widen --data.range",
            places=places,
            drawn=True,
        )


def grey(facts: Facts) -> Iterable[Found]:
    """Grey images."""
    return _kind(facts, lambda header: header.mode in GREY, "in grey, read as three equal channels")


def alpha(facts: Facts) -> Iterable[Found]:
    """Images with transparency."""
    what = "which is dropped (--data.bands keeps it)" if facts.drops_alpha else "which is read as a band"
    return _kind(facts, lambda header: header.alpha, f"with an alpha channel, {what}")


def cmyk(facts: Facts) -> Iterable[Found]:
    """Images in the colours of printing."""
    return _kind(
        facts, lambda header: header.mode in ("CMYK", "YCCK"), "in CMYK, converted to RGB without a colour profile"
    )


def pages(facts: Facts) -> Iterable[Found]:
    """Files of several images."""
    return _kind(facts, lambda header: header.pages > 1, "of several pages or frames, of which the first is read")


def _kind(
    facts: Facts, holds: Callable[[Header], bool], text: str, severity: Severity | None = None
) -> Iterable[Found]:
    places = [place for place, sample in facts.samples() if sample.image is not None and holds(sample.image)]
    if places:
        yield Found(message=f"{images(len(places))} {text}; {such_as(facts, places)}", places=places, severity=severity)


def mixed(facts: Facts) -> Iterable[Found]:
    """Images of several kinds, of which one is the rule."""
    kinds: dict[str, list[Place]] = {}
    for place, sample in facts.samples():
        if sample.image is not None:
            kinds.setdefault(f"{sample.image.mode} {sample.image.dtype}", []).append(place)
    counted = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    rare = [place for _, places in counted[1:] for place in places]
    if rare and len(rare) < len(counted[0][1]):
        listed = few((f"{len(places)} {kind}" for kind, places in counted), 8)
        yield Found(message=f"images of several kinds: {listed}; rare ones {such_as(facts, rare)}", places=rare)


def turned(facts: Facts) -> Iterable[Found]:
    """Images that EXIF turns, while their mask may not be turned."""
    found = [(place, sample) for place, sample in facts.samples() if sample.image and sample.image.orientation != 1]
    unsure = [place for place, sample in found if _is_unsure(facts, sample)]
    sure = [place for place, sample in found if not _is_unsure(facts, sample)]
    if unsure:
        yield Found(
            message=f"{images(len(unsure))} with an EXIF orientation, {such_as(facts, unsure)}, and a mask that fits "
            "the turned image and the stored one alike: give --data.exif apply where masks are drawn on turned images, "
            "ignore where on stored ones, and look at the pictures",
            places=unsure,
            severity=Severity.ERROR,
            drawn=True,
        )
    if sure:
        yield Found(
            message=f"{images(len(sure))} with an EXIF orientation, {such_as(facts, sure)}: they {TURNED[facts.exif]}",
            places=sure,
        )


def _is_unsure(facts: Facts, sample: Sample) -> bool:
    """Whether the turned image and the stored one would fit the mask alike, and nobody says which it is."""
    header, size = sample.image, sample.image_size
    if not facts.is_segmentation or facts.exif != "auto" or header is None or size is None:
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
        id="images.differ",
        severity=Severity.ERROR,
        summary="images that differ in channels or depth, so that they do not fit together",
        run=unlike,
        cheap=True,
    ),
    Check(
        id="images.float",
        severity=Severity.ERROR,
        summary="images of floating-point values; an info where a range maps them to bytes",
        run=floats,
        cheap=True,
    ),
    Check(
        id="images.depth",
        severity=Severity.WARNING,
        summary="images of more than 8 bits a value; an info where a range maps them to bytes",
        run=deep,
        cheap=True,
    ),
    Check(
        id="images.clipped",
        severity=Severity.WARNING,
        summary="images with more than 5 % of their values outside --data.range",
        run=clipped,
    ),
    Check(id="images.grey", severity=Severity.INFO, summary="grey images", run=grey),
    Check(id="images.alpha", severity=Severity.INFO, summary="images with an alpha channel", run=alpha),
    Check(id="images.cmyk", severity=Severity.WARNING, summary="images in CMYK", run=cmyk),
    Check(id="images.pages", severity=Severity.INFO, summary="files of several pages or frames", run=pages),
    Check(id="images.mixed", severity=Severity.INFO, summary="images of a rare kind", run=mixed),
)
