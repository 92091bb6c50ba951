"""Checks of partners: each image has its mask, each mask its image."""

from __future__ import annotations

from collections.abc import Iterable

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Severity
from foveate.datasets.doctor.wording import several
from foveate.datasets.text import few


def without_mask(facts: Facts) -> Iterable[Found]:
    """Images without a mask."""
    return _alone(facts, "images", "image has", "images have", "no mask")


def without_image(facts: Facts) -> Iterable[Found]:
    """Masks without an image."""
    return _alone(facts, "masks", "mask has", "masks have", "no image")


def _alone(facts: Facts, kind: str, one: str, many: str, what: str) -> Iterable[Found]:
    for unread in facts.unread:
        if unread.kind == kind:
            yield Found(
                message=f"{several(len(unread.paths), one, many)} {what}: {few(unread.paths)}; restore or remove them "
                "(in folders, --data.unpaired skip leaves them out)",
                paths=unread.paths,
            )


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
