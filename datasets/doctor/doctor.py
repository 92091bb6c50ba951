"""Checks a data set: collects facts, runs checks, gives advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foveate.datasets.doctor.advice import advise
from foveate.datasets.doctor.check import Check, run_checks
from foveate.datasets.doctor.collect import WHOLE, Look, Progress, collect
from foveate.datasets.doctor.registry import CHECKS
from foveate.datasets.doctor.report import Report


def diagnose(
    data: Any,
    checks: Sequence[Check] = CHECKS,
    look: Look = WHOLE,
    progress: Progress = lambda split, done, total: None,
) -> Report:
    """Check a data set.

    Args:
        data: A SegmentationDataModule, or a ClassificationDataModule whose images are files.
        checks: The checks that are run.
        look: How much is read.
        progress: Told the split, the pairs that were read and their total.

    Raises:
        DataConfigError: An option contradicts the data, or the images are no files.
    """
    facts = collect(data, look, progress)
    run = [check for check in checks if facts.decoded or not check.images]
    findings = run_checks(run, facts)
    return Report(facts, findings, [check.id for check in run], advise(facts, findings))
