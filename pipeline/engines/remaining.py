"""The number of batches that an engine is created for."""

from __future__ import annotations

import math

import lightning.pytorch as L


def count_batches(trainer: L.Trainer | None) -> int | None:
    """Number of batches of the evaluation or prediction that a trainer runs; None if it is not known.

    Args:
        trainer: The trainer of a task, if it has one.
    """
    if trainer is None:
        return None
    if trainer.predicting:
        counts = trainer.num_predict_batches
    elif trainer.testing:
        counts = trainer.num_test_batches
    elif trainer.validating:
        counts = trainer.num_val_batches
    else:
        return None
    total = sum(counts)
    return int(total) if math.isfinite(total) else None
