"""Whether a record is consistent in itself: its digest, its protocol, and figures that follow from its counts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from foveate.pipeline.comparison.entries import STACK
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.leaderboard.figures import differing, figures_of, sums_of
from foveate.pipeline.leaderboard.protocol import Protocol
from foveate.pipeline.leaderboard.record import DIGEST, Record, seal

OPTIONS = re.compile(r"\([^()]*\)")  # in a label: lka(kernel=35)
PARTS: Mapping[str, tuple[str, ...]] = {  # what a record has
    "protocol": ("version", "sha256"),
    "block": ("label", "spec", "providers"),
    "result": ("name", "score", "interval", "classes", "confusion", "images"),
    "training": ("steps", "losses", "last_loss", "batches", "cpu_seconds"),
    "costs": (
        *("parameters", "macs", "receptive_field", "limit"),
        *("step_ms", "step_ratio", "step_ratio_quartiles", "effective_field"),
    ),
    "data": ("sha256", "samples"),
    "code": ("foveate", "block"),
    "environment": ("threads", "processor", "libraries"),
}


def check_itself(record: Record, protocol: Protocol) -> None:
    """Refuse a record that is not consistent in itself, or not of this protocol.

    Args:
        record: The record.
        protocol: The protocol.

    Raises:
        CheckpointError: A part is missing or contradicts another.
        ConfigError: It is of another protocol.
    """
    _check_parts(record)
    _check_protocol(record, protocol)
    problem = next(problems(record, protocol), None)
    if problem is not None:
        raise CheckpointError(f"{record.source}: refused: {problem}")


def _check_protocol(record: Record, protocol: Protocol) -> None:
    """Name the other protocol of a record that is whole; a track that ours does not have is told by `_place`."""
    track, theirs = protocol.tracks.get(record.track), record.content["protocol"]
    ours = {"version": protocol.version, "sha256": track.sha256 if track else theirs["sha256"]}
    if {name: theirs[name] for name in ours} != ours and seal(record.content)[DIGEST] == record.content[DIGEST]:
        raise ConfigError(
            f"{record.source}: made by protocol {theirs['version']} ({theirs['sha256']!s:.12}), "
            f"not by {ours['version']} ({ours['sha256']:.12}); name its file with --protocol"
        )


def _check_parts(record: Record) -> None:
    content = record.content
    parts = [name for name in ("track", "slot", "seed", DIGEST) if name not in content]
    for part, names in PARTS.items():
        given = content.get(part)
        parts += [f"{part}.{name}" for name in names if not isinstance(given, Mapping) or name not in given]
    if parts:
        raise CheckpointError(f"{record.source}: refused: it lacks {', '.join(parts)}")


def problems(record: Record, protocol: Protocol) -> Iterator[str]:
    """What is wrong with a record whose parts are all there, each in a few words.

    Args:
        record: The record.
        protocol: The protocol.
    """
    for name, find in CHECKS.items():
        try:
            yield from find(record, protocol)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, ConfigError) as error:
            yield f"{name} not readable: {type(error).__name__}: {' '.join(str(error).split())}"
            return


def _digest(record: Record, protocol: Protocol) -> Iterator[str]:
    if seal(record.content)[DIGEST] != record.content[DIGEST]:
        yield "its digest is not that of its content: something was changed after it was written"


def _place(record: Record, protocol: Protocol) -> Iterator[str]:
    track = protocol.tracks.get(record.track)
    if track is None:
        yield f"track {record.track!r} is none of the protocol's: {', '.join(protocol.tracks)}"
        return
    rules = {"slot": track.slot, "steps": track.steps, "score": track.score}
    result, training = record.content["result"], record.content["training"]
    found = {"slot": record.content["slot"], "steps": training["steps"], "score": result["name"]}
    for name, wanted in rules.items():
        if found[name] != wanted:
            yield f"{name} is {found[name]!r}, the protocol's is {wanted!r}"
    if record.seed not in range(protocol.seeds):
        yield f"seed {record.seed} is none of the protocol's: 0 to {protocol.seeds - 1}"


def _label(record: Record, protocol: Protocol) -> Iterator[str]:
    spec = record.content["block"]["spec"]
    given = spec if isinstance(spec, list) else [spec]
    names = [one.get("name") if isinstance(one, Mapping) else one for one in given]
    if not names or not all(isinstance(name, str) and name for name in names):
        yield f"its block is {spec!r}, which is no block of a recipe"
    elif OPTIONS.sub("", record.block).split(STACK) != names:
        yield f"it is labelled {record.block!r}, and its block is {spec!r}"


def _counts(record: Record, protocol: Protocol) -> Iterator[str]:
    result, confusion, counts = record.content["result"], record.confusion, record.counts
    names = list(result["classes"])
    if confusion.shape != (len(names), len(names)) or (confusion < 0).any():
        yield f"its confusion matrix is {confusion.shape}, for {len(names)} classes"
        return
    if not np.array_equal(counts.sum(0), sums_of(confusion)):
        yield "the counts of its images do not add up to its confusion matrix"
    if len(counts) != record.content["data"]["samples"]["val"]:
        yield f"it has counts of {len(counts)} images"
    wrong = differing(result, figures_of(counts, result["name"], names))
    if wrong:
        yield f"{', '.join(wrong)}: not what follows from its counts"


def _losses(record: Record, protocol: Protocol) -> Iterator[str]:
    losses, batches = record.losses, record.content["training"]["batches"]
    steps = record.content["training"]["steps"]
    if len(losses) != len(batches) or len(losses) < min(protocol.replayed, steps):
        yield f"it has {len(losses)} losses of {len(batches)} batches"
    if not all(math.isfinite(loss) for loss in losses[: protocol.replayed]):
        yield "a loss of its first steps is not finite"


Find = Callable[[Record, Protocol], Iterator[str]]
CHECKS: Mapping[str, Find] = {
    "digest": _digest,
    "place": _place,
    "block": _label,
    "counts": _counts,
    "losses": _losses,
}
