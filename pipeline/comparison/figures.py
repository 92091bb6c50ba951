"""The figures of a comparison, for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foveate.pipeline.comparison.table import Row, score_row


def as_values(rows: Sequence[Row], score: str) -> dict[str, Any]:
    """The rows of a comparison as JSON can hold them.

    Args:
        rows: The blocks; the first one is the baseline.
        score: `mIoU` or `accuracy`.

    Returns:
        `baseline`, `score`, and `blocks`: of each its mean score in [0, 1] with the 95 % interval, the score of each
        seed, the gain over the baseline with its interval, costs, and the error with which it failed; what could not
        be computed is None.
    """
    return {"baseline": rows[0].label, "score": score, "blocks": [_block(row, rows[0], score) for row in rows]}


def _block(row: Row, first: Row, score: str) -> dict[str, Any]:
    found = score_row(row, first, score)
    return {
        "block": row.label,
        "error": row.fault or None,
        "mean": found and found.mean,
        "interval": found and [found.low, found.high],
        "seeds": found and dict(zip(map(str, row.cells), found.seeds, strict=True)),
        "gain": found and found.gain,
        "gain_interval": found and [found.gain_low, found.gain_high],
        "costs": row.measures and row.measures.as_values(),
    }
