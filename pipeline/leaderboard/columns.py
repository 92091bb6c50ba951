"""The columns of a leaderboard's tables, as text and as numbers to sort by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.comparison.deciding import Known
from foveate.pipeline.leaderboard.standings import Standing, Table, gain_over_images
from foveate.pipeline.leaderboard.verdicts import Verdict

UNKNOWN = "-"
COSTS = ("step_ratio", "macs", "parameters", "receptive_field", "effective_field")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it shows.
        value: What it is sorted by; NaN goes last.
    """

    text: str
    value: float = math.nan


def headings(table: Table) -> list[str]:
    """The names of the columns.

    Args:
        table: The table.
    """
    return [
        "block",
        f"{table.track.score} % (95 %)",
        "seeds",
        "gain over none (95 %)",
        "against none",
        "step ratio",
        "MMACs",
        "parameters",
        "field px",
        "effective px",
    ]


def cells_of(standing: Standing, table: Table) -> list[Cell]:
    """The cells of a block.

    Args:
        standing: The block.
        table: Its table.
    """
    low, high = standing.interval
    scores = " ".join(f"{100 * score:.1f}" for score in standing.scores)
    ratio, macs = float(standing.cost("step_ratio")), float(standing.cost("macs"))
    effective = float(standing.cost("effective_field"))
    return [
        Cell(standing.label),
        Cell(f"{100 * standing.mean:.1f} ({100 * low:.1f} to {100 * high:.1f})", standing.mean),
        Cell(scores, len(standing.scores)),
        _gain(standing),
        _known(table.verdicts.get(standing.label)),
        Cell(f"{ratio:.2f}", ratio),
        Cell(f"{macs / 1e6:,.1f}", macs),
        Cell(f"{int(standing.cost('parameters')):,}", float(standing.cost("parameters"))),
        _field(standing),
        Cell(f"{effective:.0f}", effective),
    ]


def as_values(table: Table) -> dict[str, Any]:
    """A table for a program: scores in [0, 1], what is not known is None.

    Args:
        table: The table.
    """
    blocks = [_as_values(one, table.verdicts.get(one.label)) for one in table.standings]
    return {"track": table.name, "score": table.track.score, "missing": list(table.missing), "blocks": blocks}


def _as_values(standing: Standing, verdict: Verdict | None) -> dict[str, Any]:
    gain = gain_over_images(standing)
    return {
        "block": standing.label,
        "mean": standing.mean,
        "interval": list(standing.interval),
        "seeds": {str(seed): record.score for seed, record in standing.records.items()},
        "gain": gain and gain[0],
        "gain_interval": gain and list(gain[1:]),
        "against_none": verdict and str(verdict.known),
        "costs": {name: standing.cost(name) for name in COSTS},
    }


def _gain(standing: Standing) -> Cell:
    found = gain_over_images(standing)
    if found is None:
        return Cell(UNKNOWN)
    gain, low, high = found
    return Cell(f"{100 * gain:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})", gain)


def _known(verdict: Verdict | None) -> Cell:
    if verdict is None:
        return Cell(UNKNOWN)
    order = {Known.BETTER: 3.0, Known.SAME: 2.0, Known.OPEN: 1.0, Known.WORSE: 0.0}[verdict.known]
    low, high = verdict.interval
    between = f" ({100 * low:+.1f} to {100 * high:+.1f})" if math.isfinite(low) else ""
    return Cell(f"{verdict.known}{between}", order)


def _field(standing: Standing) -> Cell:
    reach, limit = standing.cost("receptive_field"), standing.cost("limit")
    return Cell(f"> {limit:.0f}", math.inf) if reach is None else Cell(f"{reach:.0f}", float(reach))
