"""Settings of the trainer that limit the data or the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foveate.pipeline.runs.recipes import Recipe

OF_EVALUATION = ("limit_val_batches", "limit_test_batches", "limit_predict_batches", "overfit_batches", "fast_dev_run")
OF_SPLIT = {
    "val": ("limit_val_batches", "overfit_batches", "fast_dev_run"),
    "test": ("limit_test_batches", "fast_dev_run"),
}
NONE = (None, 0, 0.0, False)


def without_limits(recipe: Recipe) -> Recipe:
    """A run's recipe for an evaluation, without the training's limits.

    Example:
        >>> without_limits({"trainer": {"limit_val_batches": 1, "precision": "32-true"}})
        {'trainer': {'precision': '32-true'}}
    """
    trainer: Mapping[str, Any] = recipe.get("trainer") or {}
    return {**recipe, "trainer": {key: value for key, value in trainer.items() if key not in OF_EVALUATION}}


def limits_of(recipe: Recipe, split: str) -> dict[str, Any]:
    """The limits that hold for a split.

    Args:
        recipe: The recipe, with or without defaults filled in.
        split: val or test.

    Example:
        >>> limits_of({"trainer": {"limit_val_batches": 2, "limit_test_batches": 1.0}}, "val")
        {'limit_val_batches': 2}
    """
    trainer: Mapping[str, Any] = recipe.get("trainer") or {}
    given = {key: trainer[key] for key in OF_SPLIT[split] if key in trainer}
    return {key: value for key, value in given.items() if value not in NONE and not _is_whole(value)}


def _is_whole(value: object) -> bool:
    """Whether a limit is the float 1.0, which means all data; the integer 1 means one batch."""
    return isinstance(value, float) and value == 1.0
