"""The checks that are cheap, on an even sample of the files: what `fit` looks at before the first step."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.datasets.doctor.collect import SAMPLE
from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.doctor.finding import Finding, Severity
from foveate.datasets.doctor.registry import CHEAP
from foveate.datasets.doctor.wording import printable, several
from foveate.datasets.errors import DataError
from foveate.datasets.image_folder import ImageFolderDataModule
from foveate.datasets.segmentation import SegmentationDataModule


def look_before_training(data: object) -> list[str]:
    """Warnings on what may spoil a training, a line each.

    Reads at most 200 headers, 60 label maps and 30 images of each split, and stops after 3 seconds. Damaged training
    images are no fault where `on_damaged` is skip.

    Args:
        data: A data module; of one whose files are not known nothing is said.

    Raises:
        DataError: Something would spoil the training; the message names a file, the value and the cure.
    """
    if not isinstance(data, SegmentationDataModule | ImageFolderDataModule):
        return []
    skips = getattr(data, "on_damaged", "error") == "skip"
    findings = [one for one in diagnose(data, CHEAP, SAMPLE).findings if not (skips and _is_skipped(one))]
    errors = [finding for finding in findings if finding.severity == Severity.ERROR]
    if errors:
        raise DataError(_in_one_line(errors, str(data.root)))
    return [printable(finding.message) for finding in findings if finding.severity == Severity.WARNING]


def _is_skipped(finding: Finding) -> bool:
    """Whether it tells of damaged training images only."""
    places = finding.found.places if finding.found is not None else ()
    return finding.id in ("files.damaged", "files.empty") and all(place.split == "train" for place in places)


def _in_one_line(errors: Sequence[Finding], root: str) -> str:
    more = f"; {several(len(errors) - 1, 'further fault', 'further faults')}" if len(errors) > 1 else ""
    return printable(f"{errors[0].message} [{errors[0].id}]{more} (all: foveate data check {root})")
