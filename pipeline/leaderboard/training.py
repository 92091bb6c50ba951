"""What `foveate leaderboard run` and `add` train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveate.pipeline.comparison.entries import parse_entries
from foveate.pipeline.leaderboard.protocol import find_protocol
from foveate.pipeline.leaderboard.run import Budget, choose_tracks, every_block, list_jobs, run_jobs
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
    from foveate.pipeline.startup import import_named

    import_named()
    rules = find_protocol(protocol)
    budget = Budget(None if wishes.budget is None else parse_duration(wishes.budget))
    tracks = choose_tracks(rules, wishes.slots, wishes.data)
    jobs = list_jobs(rules, tracks, parse_entries(wishes.blocks or every_block(), [ANY]), wishes.out)
    yield from run_jobs(rules, jobs, wishes.data, wishes.modules, budget)
