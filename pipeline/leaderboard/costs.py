"""What a block costs: parameters, multiply-adds, receptive field, and the time of a step in turn with `none`."""

from __future__ import annotations

from typing import Any

from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.measures import Candidate, try_out
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.measuring.costs import count_macs, count_parameters
from foveate.pipeline.measuring.receptive_field import theoretical_reach
from foveate.pipeline.measuring.timing import time_in_turn

BASELINE = "none"
ROUNDS = 5
LIMIT = 1024  # pixels; a receptive field beyond is not told apart from the whole image


def measure_costs(study: Study, entry: Entry) -> dict[str, Any]:
    """The costs as JSON values.

    Args:
        study: The settings of the track.
        entry: The block.
    """
    baseline, ours = (try_out(study, one) for one in (Entry(BASELINE, BASELINE, entry.slot), entry))
    times = time_in_turn({BASELINE: baseline.step(), "": ours.step()}, rounds=ROUNDS)[""]
    return {
        **fixed_costs(ours),
        "step_ms": round(1000 * times.median, 2),
        "step_ratio": round(times.ratio, 4),
        "step_ratio_quartiles": [round(end, 4) for end in times.ratio_quartiles],
    }


def fixed_costs(candidate: Candidate) -> dict[str, Any]:
    """The costs that are the same on every machine.

    Args:
        candidate: The block, its network and a batch.
    """
    task = candidate.task
    pixels = task.normalise(candidate.batch["image"][:1].to(task.device))
    return {
        "parameters": count_parameters(task.network),
        "macs": count_macs(task.network, pixels),
        "receptive_field": theoretical_reach(task.network.encoder, LIMIT),  # type: ignore[arg-type]
        "limit": LIMIT,
    }
