"""Runs the trainings of a leaderboard that have no record yet, one at a time; every block gets one seed first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from foveate.datasets.files.locking import claimed
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.errors import ConfigError, Stopped, UnusableDataError, known_cause
from foveate.pipeline.leaderboard.fit import create_study, fit_record
from foveate.pipeline.leaderboard.protocol import Protocol, Track
from foveate.pipeline.leaderboard.record import Record, file_of, read_record, write_record
from foveate.pipeline.text import duration, first_line
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        track: Its table.
        entry: Its block.
        seed: Its seed.
        path: The file of its record.
    """

    track: Track
    entry: Entry
    seed: int
    path: Path

    def __str__(self) -> str:
        return f"{self.track.name}, {self.entry.label}, seed {self.seed}"


def every_block() -> str:
    """The blocks that are installed, as --blocks takes them."""
    return ",".join(dict.fromkeys(offer.record.name for offer in installed_plugins().of_kind(Block)))


def choose_tracks(protocol: Protocol, names: Sequence[str], data: Path) -> list[Track]:
    """The tracks of the given names or slots; all of the protocol's if none is given.

    Args:
        protocol: The protocol.
        names: Such as camvid-gate, or gate for every track of that slot.
        data: The folder that holds the data sets' folders.

    Raises:
        ConfigError: There is no such track.
        UnusableDataError: The folder of a data set is missing.
    """
    known = {name for track in protocol.tracks.values() for name in (track.name, track.slot)}
    if wrong := [name for name in names if name not in known]:
        raise ConfigError(f"--slots {','.join(wrong)}: accepted: {', '.join(sorted(known))}")
    chosen = [track for track in protocol.tracks.values() if not names or {track.name, track.slot} & set(names)]
    missing = sorted({track.folder for track in chosen if not (data / track.folder).is_dir()})
    if missing:
        raise UnusableDataError(
            f"{data}: no folder {' and '.join(missing)} in it (--data names the folder of the data sets' folders; "
            "see docs/leaderboard.md, or choose others with --slots)"
        )
    return chosen


def list_jobs(protocol: Protocol, tracks: Sequence[Track], rows: Sequence[Entry], out: Path) -> list[Job]:
    """All trainings: every block with the first seed in every track, then with the second.

    Args:
        protocol: The protocol.
        tracks: The tables.
        rows: The blocks.
        out: Folder of the records.
    """
    return [
        Job(
            track,
            Entry(row.label, row.spec, track.slot),
            seed,
            file_of(out, track.name, row.folder, seed),
        )
        for seed in range(protocol.seeds)
        for track in tracks
        for row in rows
    ]


@dataclass
class Budget:
    """Time for trainings; a training begins only if it is expected to end within it.

    Attributes:
        seconds: The time; None for any.
        clock: The time now, in seconds.
    """

    seconds: float | None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.took: dict[str, list[float]] = {}

    def allows(self, track: str) -> bool:
        """Whether one more training of a track is expected to end in time.

        Args:
            track: Its name.
        """
        return self.seconds is None or self.clock() - self.started + self.expected(track) <= self.seconds

    def expected(self, track: str) -> float:
        """Seconds that a training of a track is expected to take; 0 before the first one.

        Args:
            track: Its name.
        """
        known = self.took.get(track) or [one for times in self.took.values() for one in times]
        return sum(known) / len(known) if known else 0.0


def run_jobs(
    protocol: Protocol, jobs: Sequence[Job], data: Path, modules: Sequence[str], budget: Budget
) -> Iterator[str]:
    """Run the jobs that have no record yet; a line about each. Several processes with one folder share the work.

    Args:
        protocol: The protocol.
        jobs: All jobs.
        data: The folder that holds the data sets' folders.
        modules: Modules given with --plugins.
        budget: The time.
    """
    studies: dict[str, Study] = {}
    waiting = [job for job in jobs if not is_done(job)]
    done = f"{len(jobs)} trainings, {len(jobs) - len(waiting)} of them done before"
    yield f"{done}; after an interruption the same command goes on"
    for number, job in enumerate(waiting, start=len(jobs) - len(waiting) + 1):
        if not budget.allows(job.track.name):
            left = len(jobs) - number + 1
            yield f"the budget of {duration(budget.seconds or 0)} is spent; {left} trainings are left: run it again"
            return
        if job.track.name not in studies:
            studies = {job.track.name: create_study(job.track, data, list(modules))}  # keeps few initial weights
        place = f"[{number}/{len(jobs)}]"
        with claim(job) as ours:
            if not ours or is_done(job):
                yield f"{place} {job}: {'done' if ours else 'being trained'} by another process"
                continue
            yield f"{place} {job}: {job.track.steps} steps"
            said = _run(protocol, job, studies[job.track.name], budget)
        ahead = math.fsum(budget.expected(other.track.name) for other in waiting[waiting.index(job) + 1 :])
        yield f"{place} {said}{f'; about {duration(ahead)} left' if ahead else ''}"
    yield "every training has a record, failed, or is another process's"


def _run(protocol: Protocol, job: Job, study: Study, budget: Budget) -> str:
    """Run a job, and a line about it."""
    begun = budget.clock()
    try:
        content = fit_record(protocol, job.track, study, job.entry, job.seed)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # a plugin may raise anything, also SystemExit
        return f"{job}: failed, no record: {first_line(known_cause(error))}"
    record = write_record(job.path, content)
    taken = budget.clock() - begun
    budget.took.setdefault(job.track.name, []).append(taken)
    return (
        f"{job}: {job.track.score} {100 * record.score:.2f} in {duration(taken)}, {job.path}{_other_data(job, record)}"
    )


def _other_data(job: Job, record: Record) -> str:
    """A remark on data that are not those of the published records."""
    ours, theirs = str(record.content["data"]["sha256"]), job.track.data_sha256
    if not theirs or ours == theirs:
        return ""
    return f"; its data ({ours:.8}) are not those of the published records ({theirs:.8}): it gets a table of its own"


@contextmanager
def claim(job: Job) -> Iterator[bool]:
    """Whether this process trains a job, and no other; a folder in which nothing was written is not left behind.

    Args:
        job: The job.
    """
    folder = job.path.parent
    made = [one for one in (folder, folder.parent) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with claimed(folder / f".{job.path.stem}.lock") as ours:
            yield ours
    finally:
        with suppress(OSError):  # it holds something
            for one in made:
                one.rmdir()


def is_done(job: Job) -> bool:
    """Whether a job has a record of its track's protocol.

    Args:
        job: The job.

    Raises:
        CheckpointError: Its file is no record.
        ConfigError: Its record is of another protocol.
    """
    if not job.path.is_file():
        return False
    record: Record = read_record(job.path)
    made_by = record.content.get("protocol", {}).get("sha256")
    if made_by != job.track.sha256:
        raise ConfigError(f"{job.path}: made by another protocol ({made_by!s:.12}); choose another --out")
    return True
