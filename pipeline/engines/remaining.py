"""How much an engine is made for."""

from __future__ import annotations

import math

import lightning.pytorch as L


def count_batches(trainer: L.Trainer | None) -> int | None:
    """Batches of the evaluation or prediction that a trainer carries out; None where that is not known.

    Args:
        trainer: A task's, if it has one.
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
