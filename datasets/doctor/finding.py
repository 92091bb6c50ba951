"""What a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # a training would fail, or learn or score something wrong
    WARNING = "warning"  # probably not meant so
    INFO = "info"


class Place(NamedTuple):
    """One pair of a split.

    Attributes:
        split: Its name.
        position: Of the pair in the split.
    """

    split: str
    position: int


Side = Literal["image", "mask"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a check gives back; which check it was, and how bad it is by default, is added.

    Attributes:
        message: One line: what, where, and what to do.
        places: Where.
        paths: Files, where they are no pairs.
        side: Which file of a pair is meant.
        count: How many there are; as many as places and paths if not given.
        numbers: Figures for programs.
        severity: Another one than the check's.
        beside: For pictures: the counterpart of each place.
        values: For pictures: train ids that are marked.
        drawn: For pictures: whether the mask is shown too, where the image is meant.
    """

    message: str
    places: Sequence[Place] = ()
    paths: Sequence[str] = ()
    side: Side = "image"
    count: int | None = None
    numbers: Mapping[str, object] = field(default_factory=dict)
    severity: Severity | None = None
    beside: Sequence[Place] = ()
    values: Sequence[int] = ()
    drawn: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding as it is reported.

    Attributes:
        id: `family.name` of the check.
        severity: How bad it is.
        message: One line: what, where, and what to do.
        count: How many files, classes or pairs.
        paths: All files that are meant.
        numbers: Figures for programs.
        found: What the check gave.
    """

    id: str
    severity: Severity
    message: str
    count: int
    paths: Sequence[str]
    numbers: Mapping[str, object]
    found: Found
