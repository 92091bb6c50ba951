"""All checks, in the order of their families."""

from __future__ import annotations

from foveate.datasets.doctor import classes, files, images, labels, pairing, sizes, splits
from foveate.datasets.doctor.check import Check

CHECKS: tuple[Check, ...] = (
    *pairing.CHECKS,
    *files.CHECKS,
    *sizes.CHECKS,
    *labels.CHECKS,
    *images.CHECKS,
    *splits.CHECKS,
    *classes.CHECKS,
)
CHEAP = tuple(check for check in CHECKS if check.cheap)  # run before each training
