"""Checks of files: whole, what their names say, and named so that other programs can read the names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity, Side
from foveate.datasets.doctor.sample import Trouble
from foveate.datasets.doctor.wording import several
from foveate.datasets.text import few

FORMATS = {  # ending -> what Pillow calls such files
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    **dict.fromkeys((".bmp", ".dib"), ("BMP", "DIB")),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), ("PPM",)),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".tga": ("TGA",),
    ".npy": ("NPY",),
    ".jp2": ("JPEG2000",),
    ".avif": ("AVIF",),
}
NAMED = 3  # files whose fault stands in the message; all are in the list


def damaged(facts: Facts) -> Iterable[Found]:
    """Files that are cut short, damaged, or no images."""
    return _unreadable(facts, Trouble.DAMAGED, "that cannot be read", "restore them, or remove each with its partner")


def empty(facts: Facts) -> Iterable[Found]:
    """Files of 0 bytes."""
    return _unreadable(facts, Trouble.EMPTY, "of 0 bytes", "restore them, or remove each with its partner")


def _unreadable(facts: Facts, trouble: Trouble, what: str, cure: str) -> Iterable[Found]:
    sides: dict[Side, list[tuple[Place, str]]] = {"image": [], "mask": []}
    for place, side, message in facts.troubles(trouble):
        sides["image" if side == "image" else "mask"].append((place, message))
    for side, found in sides.items():
        if found:
            said = few((message for _, message in found), NAMED, "; ")
            yield Found(
                message=f"{several(len(found), f'{side} file', f'{side} files')} {what}: {said}; {cure}",
                places=[place for place, _ in found],
                side=side,
            )


def disguised(facts: Facts) -> Iterable[Found]:
    """Files whose content is another kind of image than their ending says."""
    sides: tuple[Side, Side] = ("image", "mask")
    for side in sides if facts.is_segmentation else sides[:1]:
        found: dict[tuple[str, str], list[Place]] = {}
        for place, sample in facts.samples():
            header = sample.image if side == "image" else sample.mask
            ending = PurePath(facts.path(place, side)).suffix.lower() if header else ""
            if header and ending in FORMATS and header.format not in FORMATS[ending]:
                found.setdefault((ending, header.format), []).append(place)
        for (ending, name), places in found.items():
            what = several(len(places), f"{side} named", f"{side}s named")
            yield Found(
                message=f"{what} {ending} but in truth {name}, such as {facts.path(places[0], side)}: other programs "
                "may refuse them; rename them",
                places=places,
                side=side,
            )


def odd_names(facts: Facts) -> Iterable[Found]:
    """Names that are no UTF-8, or hold control characters."""
    sides: tuple[Side, Side] = ("image", "mask")
    for side in sides if facts.is_segmentation else sides[:1]:
        places = [place for place, _ in facts.samples() if _is_odd(facts.path(place, side))]
        if places:
            yield Found(
                message=f"{several(len(places), f'{side} has', f'{side}s have')} a name with control characters or of "
                f"an unknown encoding, such as {facts.path(places[0], side)!a}: logs and tables cannot show it; rename",
                places=places,
                side=side,
            )


def _is_odd(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return any(ord(letter) < 32 or ord(letter) == 127 for letter in name)


CHECKS = (
    Check(
        id="files.damaged",
        severity=Severity.ERROR,
        summary="files that are cut short, damaged, or no images",
        run=damaged,
        cheap=True,
    ),
    Check(id="files.empty", severity=Severity.ERROR, summary="files of 0 bytes", run=empty, cheap=True),
    Check(
        id="files.disguised",
        severity=Severity.WARNING,
        summary="files whose content is another format than their ending says",
        run=disguised,
    ),
    Check(
        id="files.names",
        severity=Severity.WARNING,
        summary="names that are not valid UTF-8 or hold control characters",
        run=odd_names,
    ),
)
