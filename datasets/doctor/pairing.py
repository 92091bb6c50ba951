"""Checks of partners: each image has its mask, each mask its image."""

from __future__ import annotations

from collections.abc import Iterable

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Severity


def without_mask(facts: Facts) -> Iterable[Found]:
    """Images without a mask."""
    return [Found(message=one.message, paths=one.paths) for one in facts.unread if one.kind == "images"]


def without_image(facts: Facts) -> Iterable[Found]:
    """Masks without an image."""
    return [Found(message=one.message, paths=one.paths) for one in facts.unread if one.kind == "masks"]


def missing_split(facts: Facts) -> Iterable[Found]:
    """Splits that cannot be found."""
    return [Found(message=one.message, count=1) for one in facts.unread if one.kind == "missing"]


CHECKS = (
    Check(
        id="pairing.missing",
        severity=Severity.ERROR,
        summary="images without a mask",
        run=without_mask,
        cheap=True,
    ),
    Check(
        id="pairing.extra",
        severity=Severity.ERROR,
        summary="masks without an image",
        run=without_image,
        cheap=True,
    ),
    Check(
        id="pairing.split",
        severity=Severity.ERROR,
        summary="splits, folders or lists that are not there or cannot be read",
        run=missing_split,
        cheap=True,
    ),
)
