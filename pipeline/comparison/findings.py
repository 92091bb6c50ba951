"""What a comparison found, in words: what is known, what is not, and what it would take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from foveate.pipeline.comparison.deciding import Known, Verdict
from foveate.pipeline.comparison.planning import POWER, Plan
from foveate.pipeline.text import duration

EXPLAINED = (
    "Between: a 95 % interval that covers seeds and images and holds whenever one stops (Wang & Ramdas, "
    "arXiv:2310.03722). The words are corrected for the number of blocks (Holm, as Shaffer modified it for hypotheses "
    "that exclude each other): in 95 % of comparisons all of them are right."
)


def tell_plan(needed: Plan, detect: float, images: int) -> list[str]:
    """What the first trainings say about the number of seeds and images.

    Args:
        needed: The plan.
        detect: The difference that is to be found, in (0, 1].
        images: The number of validation images.
    """
    noise = f"differences to the baseline vary by {_points(needed.noise)} points between seeds (standard deviation)"
    lines = [f"{noise}; the {images} images add a standard error of {_points(needed.image_error)} points"]
    at_most = "more than can be trained" if needed.at_most is None else f"at most {needed.at_most}"
    seeds = "more seeds than can be trained" if needed.seeds is None else f"about {needed.seeds} seeds of a block"
    found = f"to find {_points(detect)} points with probability {100 * POWER:.0f} %: {seeds} ({at_most})"
    if needed.images > 1:
        found += f", and about {math.ceil(needed.images * images)} validation images instead of {images}"
    return [*lines, found]


def tell(label: str, verdict: Verdict, baseline: str, *, detect: float, seconds: float, images: int) -> str:
    """What is known of a block.

    Args:
        label: The block.
        verdict: What was found.
        baseline: The block it is compared with.
        detect: Smallest difference that matters, in (0, 1].
        seconds: Duration of a training of the block.
        images: The number of validation images.
    """
    evidence = verdict.evidence
    count = len(evidence.differences)
    if not count:
        return f"{label}: not known: no training yet"
    low, high = verdict.interval
    between = f"between {_signed(low)} and {_signed(high)}" if math.isfinite(high) else "too few seeds for an interval"
    seen = f"{_signed(evidence.mean)} points, {between}, {count} seed{'s' * (count != 1)}"
    if verdict.known in (Known.BETTER, Known.WORSE):
        return f"{label} is {verdict.known} than {baseline}: {seen}"
    if verdict.known is Known.SAME:
        return f"{label} and {baseline} do not differ by {_points(detect)} points: {seen}"
    return f"{label}: not known: {seen}; {_what_it_takes(verdict, seconds, images)}"


def _what_it_takes(verdict: Verdict, seconds: float, images: int) -> str:
    more = verdict.more_seeds
    if more is None:
        return f"more seeds would not tell, more validation images than {images} might"
    took = f" ({duration(more * seconds)})" if math.isfinite(seconds) else ""
    return f"about {more} more seed{'s' * (more != 1)}{took} would tell if it goes on like this"


def as_values(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """The verdicts for a JSON file: differences in [-1, 1]; an interval is null while there are too few seeds.

    Args:
        verdicts: Of each block.
    """
    return {
        label: {
            "known": str(verdict.known),
            "difference": verdict.evidence.mean,
            "interval": list(verdict.interval) if math.isfinite(verdict.interval[0]) else None,
            "p": verdict.p,
            "seeds": list(verdict.evidence.differences),
            "image_error": verdict.evidence.image_error,
            "more_seeds": verdict.more_seeds,
        }
        for label, verdict in verdicts.items()
    }


def _points(share: float) -> str:
    return f"{100 * share:.2g}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}"
