"""What a block costs: parameters, multiply-adds, receptive field, and processor time of a step in turn with `none`."""

from __future__ import annotations

import time
from typing import Any

from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.measures import Candidate, initial_reach, try_out
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.measuring.costs import count_macs, count_parameters
from foveate.pipeline.measuring.timing import Times, Work, summarise

BASELINE = "none"
ROUNDS = 7
LIMIT = 1024  # pixels; a receptive field beyond is not told apart from the whole image


def measure_costs(study: Study, entry: Entry) -> dict[str, Any]:
    """The costs as JSON values.

    Args:
        study: The settings of the track.
        entry: The block.
    """
    baseline, ours = (try_out(study, one) for one in (Entry(BASELINE, BASELINE, entry.slot), entry))
    times = processor_times(baseline.step(), ours.step(), ROUNDS)
    return {
        **fixed_costs(study, ours),
        "step_ms": round(1000 * times.median, 2),
        "step_ratio": round(times.ratio, 4),
        "step_ratio_quartiles": [round(end, 4) for end in times.ratio_quartiles],
    }


def processor_times(first: Work, second: Work, rounds: int) -> Times:
    """Processor time of a function, in turn with another: what else the machine does counts little.

    Args:
        first: The reference of the ratios.
        second: The function.
        rounds: Number of rounds, after one that does not count.
    """
    spent: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        first()
        between = time.process_time()
        second()
        spent.append((between - begun, time.process_time() - between))
    return summarise([ours for _, ours in spent[1:]], [theirs for theirs, _ in spent[1:]])


def fixed_costs(study: Study, candidate: Candidate) -> dict[str, Any]:
    """The costs that are the same on every machine, however many steps were taken before.

    Args:
        study: The settings of the track.
        candidate: The block, its network and a batch.
    """
    task = candidate.task
    pixels = task.normalise(candidate.batch["image"][:1].to(task.device))
    return {
        "parameters": count_parameters(task.network),
        "macs": count_macs(task.network, pixels),
        "receptive_field": initial_reach(study, candidate.entry, LIMIT),
        "limit": LIMIT,
    }
