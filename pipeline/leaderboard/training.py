"""What `foveate leaderboard run` and `add` train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveate.pipeline.comparison.entries import parse_entries
from foveate.pipeline.leaderboard.protocol import Protocol, find_protocol
from foveate.pipeline.leaderboard.run import Budget, Job, choose_tracks, every_block, list_jobs, run_jobs
from foveate.pipeline.text import parse_duration

ANY = "slot"  # rows are parsed before they are put into slots


@dataclass(frozen=True)
class Wishes:
    """What is to be trained, and where.

    Attributes:
        data: Folder that holds the data sets' folders.
        out: Folder for the records.
        blocks: Blocks as `foveate compare` takes them; empty for all that are installed.
        slots: Names of tracks or slots; none for all.
        budget: Time for the trainings; None for any.
        modules: Modules given with --plugins.
    """

    data: Path
    out: Path
    blocks: str = ""
    slots: Sequence[str] = ()
    budget: str | None = None
    modules: list[str] = field(default_factory=list)


def train_all(protocol: str, wishes: Wishes) -> Iterator[str]:
    """Train what has no record yet; a line about each training.

    Args:
        protocol: Version of the protocol, or a file.
        wishes: What is to be trained.
    """
    rules = find_protocol(protocol)
    budget = Budget(None if wishes.budget is None else parse_duration(wishes.budget))
    yield from run_jobs(rules, _jobs(rules, wishes), wishes.data, wishes.modules, budget)


def list_open(protocol: str, wishes: Wishes) -> Iterator[str]:
    """A line about each training that has no record yet; nothing is trained.

    Args:
        protocol: Version of the protocol, or a file.
        wishes: What is to be trained.
    """
    rules = find_protocol(protocol)
    yield from (f"{job}: {job.track.steps} steps" for job in _jobs(rules, wishes) if not job.path.is_file())


def _jobs(rules: Protocol, wishes: Wishes) -> list[Job]:
    """All trainings, those with a record too."""
    from foveate.pipeline.startup import import_named

    import_named()
    tracks = choose_tracks(rules, wishes.slots, wishes.data)
    return list_jobs(rules, tracks, parse_entries(wishes.blocks or every_block(), [ANY]), wishes.out)
