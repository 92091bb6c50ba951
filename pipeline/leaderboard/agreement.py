"""Whether two people's records of one training agree, within the bounds of their protocol."""

from __future__ import annotations

import math
from typing import Any

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.leaderboard.protocol import Protocol
from foveate.pipeline.leaderboard.record import Record

SAME = ("parameters", "macs", "receptive_field", "limit")  # of the costs: on every machine


def agree(first: Record, second: Record, protocol: Protocol) -> str:
    """A line on how two records of one block and seed agree.

    Args:
        first: A record, consistent in itself.
        second: Another one.
        protocol: The protocol of both.

    Raises:
        ConfigError: They are of different trainings.
        CheckpointError: They do not agree.
    """
    for name, value in _identity(first).items():
        if _identity(second)[name] != value:
            raise ConfigError(f"{second.source}: {name} is {_identity(second)[name]!r}, and {value!r} in the first one")
    for name in SAME:
        if first.content["costs"][name] != second.content["costs"][name]:
            raise CheckpointError(f"{first.source} and {second.source} do not agree: {name} differs")
    losses = list(zip(first.losses, second.losses, strict=False))[: protocol.replayed]
    for step, (one, other) in enumerate(losses, start=1):
        if not math.isclose(one, other, rel_tol=protocol.loss_bound):
            raise CheckpointError(
                f"{first.source} and {second.source} do not agree: the loss of step {step} is {one!r} and {other!r}, "
                f"the bound is {protocol.loss_bound:g}"
            )
    said = f"{100 * first.score:.2f} and {100 * second.score:.2f}"
    if abs(first.score - second.score) > protocol.score_bound:
        bound = f"{100 * protocol.score_bound:g} points"
        raise CheckpointError(f"{first.source} and {second.source} do not agree: scores {said}, the bound is {bound}")
    return f"{first.source} and {second.source} agree: scores {said}, losses of {len(losses)} steps"


def _identity(record: Record) -> dict[str, Any]:
    content = record.content
    return {
        "track": record.track,
        "block": content["block"]["spec"],
        "seed": record.seed,
        "data": content["data"]["sha256"],
    }
