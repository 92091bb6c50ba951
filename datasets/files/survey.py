"""What kinds of images a data set holds, from the headers of some of them; what reading changes is said once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.kinds import ImageKind, image_kind
from foveate.datasets.files.turning import UPRIGHT

MOST = 200  # headers that are read of each split


@dataclass(frozen=True)
class Survey:
    """The kinds of some images of a split.

    Attributes:
        paths: The images.
        kinds: The kind of each.
        total: How many images the split has.
    """

    paths: tuple[Path, ...]
    kinds: tuple[ImageKind, ...]
    total: int

    def such_as(self, holds: Callable[[ImageKind], bool]) -> tuple[int, Path | None]:
        """How many of the images are of some kind, and the first of them.

        Args:
            holds: Whether a kind is meant.
        """
        found = [path for path, kind in zip(self.paths, self.kinds, strict=True) if holds(kind)]
        return len(found), found[0] if found else None


def spread(count: int, most: int) -> list[int]:
    """Numbers from 0, evenly spread over a count.

    Args:
        count: How many there are.
        most: How many are taken at most.

    Example:
        >>> spread(10, 4)
        [0, 3, 6, 9]
    """
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, most)).round()}) if count else []


def survey_images(paths: Sequence[Path], most: int = MOST) -> Survey:
    """Read the headers of some images, evenly spread; damaged ones are left out.

    Args:
        paths: All images of a split.
        most: How many are looked at.
    """
    found: list[tuple[Path, ImageKind]] = []
    for index in spread(len(paths), most):
        try:
            found.append((paths[index], image_kind(paths[index])))
        except DamagedError:  # reported where it is read
            continue
    return Survey(tuple(path for path, _ in found), tuple(kind for _, kind in found), len(paths))


def check_alike(survey: Survey, reader: ImageReader) -> None:
    """Refuse images that do not fit into one batch, or whose values do not mean the same.

    Args:
        survey: Of one or more splits.
        reader: How they are read.

    Raises:
        DataError: Channels differ in number, or depths differ and no range is given; the message names a file of each.
    """
    _check_same(
        survey,
        lambda kind: f"{kind.bands_read(reader.bands)} channels",
        "choose those that all have with --data.bands, such as [1, 2, 3]",
    )
    if reader.range is None:
        _check_same(survey, lambda kind: kind.depth, "give --data.range [LOW, HIGH], the values that become 0 and 255")


def _check_same(survey: Survey, describe: Callable[[ImageKind], str], advice: str) -> None:
    first: dict[str, Path] = {}
    for path, kind in zip(survey.paths, survey.kinds, strict=True):
        first.setdefault(describe(kind), path)
    if len(first) > 1:
        found = ", ".join(f"{what} in {path}" for what, path in first.items())
        raise DataError(f"images of one data set differ: {found}; {advice}")


def notes_of(survey: Survey, reader: ImageReader) -> list[str]:
    """One line on each thing that reading changes, with counts and the option that changes it.

    Args:
        survey: What was found.
        reader: How images are read.
    """
    every = [] if reader.bands else [(_has_alpha, _alpha_line(survey))]
    every += [
        (lambda kind: kind.mode in ("CMYK", "YCCK"), "are converted from CMYK to RGB, without a colour profile"),
        (lambda kind: kind.pages > 1, "have several pages or frames: the first is read"),
        (lambda kind: kind.nodata is not None, "name a value for no data: it becomes 0"),
        (lambda kind: kind.orientation != UPRIGHT, _exif_line(reader)),
    ]
    return [_line(survey, holds, text) for holds, text in every if survey.such_as(holds)[0]]


def _has_alpha(kind: ImageKind) -> bool:
    return bool(kind.alpha)


def _alpha_line(survey: Survey) -> str:
    count = max((kind.channels for kind in survey.kinds if kind.alpha), default=0)
    return f"have alpha, which is dropped; --data.bands {list(range(1, count + 1))} keeps it as a band"


def _exif_line(reader: ImageReader) -> str:
    turn = {
        "auto": "are turned where that fits their label map, and always where there is none",
        "apply": "are turned by it",
        "ignore": "are not turned",
    }
    return f"have an EXIF orientation, and {turn[reader.exif]} (--data.exif auto, apply or ignore)"


def _line(survey: Survey, holds: Callable[[ImageKind], bool], text: str) -> str:
    count, first = survey.such_as(holds)
    looked = f" looked at ({survey.total} in all)" if survey.total > len(survey.kinds) else ""
    return f"{count} of {len(survey.kinds)} images{looked}, such as {first}, {text}"
