"""The tables of a leaderboard: for each block its score, its gain over `none`, what is known of it, and its costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from foveate.pipeline.comparison.bootstrap import average, interval
from foveate.pipeline.comparison.deciding import evidence_of
from foveate.pipeline.comparison.result import Cell
from foveate.pipeline.leaderboard.costs import BASELINE
from foveate.pipeline.leaderboard.protocol import Protocol, Track
from foveate.pipeline.leaderboard.record import Record
from foveate.pipeline.leaderboard.verdicts import Verdict, judge
from foveate.pipeline.text import few

DETECT = 0.01  # smallest difference that counts: a point


@dataclass(frozen=True)
class Standing:
    """A block in a track.

    Attributes:
        label: The block.
        records: Its records, by seed.
        baseline: That of `none`; None for itself, and if it has no records.
        score_name: `mIoU` or `accuracy`.
    """

    label: str
    records: dict[int, Record]
    baseline: Standing | None
    score_name: str

    @property
    def scores(self) -> list[float]:
        """The score of each seed, in the order of the seeds."""
        return [record.score for record in self.records.values()]

    @property
    def mean(self) -> float:
        """The mean score."""
        return statistics.fmean(self.scores)

    @property
    def common(self) -> list[int]:
        """The seeds that `none` has too."""
        return [] if self.baseline is None else [seed for seed in self.records if seed in self.baseline.records]

    @property
    def gain(self) -> float | None:
        """Mean gain over `none` in the common seeds; 0 for `none` itself, None without a common seed."""
        if self.baseline is None:
            return 0.0 if self.label == BASELINE else None
        gains = [self.records[seed].score - self.baseline.records[seed].score for seed in self.common]
        return statistics.fmean(gains) if gains else None

    @cached_property
    def cells(self) -> dict[int, Cell]:
        """The counts of each seed, as a comparison takes them."""
        return {seed: _cell(record) for seed, record in self.records.items()}

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean over the images."""
        return interval(average([cell.draw_scores(self.score_name) for cell in self.cells.values()]))

    def cost(self, name: str) -> Any:
        """A cost: of the numbers that each record measured, the median.

        Args:
            name: Its name in a record.
        """
        found = [record.content["costs"][name] for record in self.records.values()]
        return None if None in found else statistics.median(found)

    def mean_of_class(self, name: str) -> float:
        """The mean figure of a class over the seeds, NaN if it has none.

        Args:
            name: The class.
        """
        found = [record.content["result"]["classes"][name] for record in self.records.values()]
        known = [value for value in found if value is not None]
        return statistics.fmean(known) if known else math.nan


@dataclass(frozen=True)
class Table:
    """The blocks of a track.

    Attributes:
        track: The track.
        standings: The blocks that have records, that with the largest gain over `none` first.
        verdicts: What is known of each against `none`.
        blocks: How many blocks should have records here; 0 where that is not known.
        missing: Which of their records are missing, in words.
        data: Hash of their data, if those are not the protocol's.
    """

    track: Track
    standings: Sequence[Standing]
    verdicts: dict[str, Verdict]
    blocks: int
    missing: Sequence[str]
    data: str = ""

    @property
    def name(self) -> str:
        """Its heading."""
        return f"{self.track.name}, other data ({self.data:.8})" if self.data else self.track.name

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        first = next(iter(self.standings[0].records.values()))
        return list(first.content["result"]["classes"])


def make_tables(protocol: Protocol, records: Sequence[Record], expected: Sequence[str] = ()) -> list[Table]:
    """The tables of a protocol, tracks without any record too; records of other data have tables of their own.

    Args:
        protocol: The protocol.
        records: Records that are consistent in themselves.
        expected: Blocks that should have records in every track, beside those that have one in some track.
    """
    having = (record.block for record in records if not _other_data(protocol, record))
    blocks = list(dict.fromkeys([*expected, *having]))
    tables = []
    for track in protocol.tracks.values():
        own = [record for record in records if record.track == track.name]
        tables.append(_table(protocol, track, blocks, [one for one in own if not _other_data(protocol, one)]))
        for data in sorted({_other_data(protocol, record) for record in own} - {""}):
            others = [record for record in own if _other_data(protocol, record) == data]
            tables.append(_table(protocol, track, [], others, data))
    return tables


def _other_data(protocol: Protocol, record: Record) -> str:
    """Hash of a record's data, if those are not the protocol's; else nothing."""
    wanted, found = protocol.tracks[record.track].data_sha256, str(record.content["data"]["sha256"])
    return found if wanted and found != wanted else ""


def _table(protocol: Protocol, track: Track, blocks: Sequence[str], records: Sequence[Record], data: str = "") -> Table:
    own: dict[str, dict[int, Record]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        own.setdefault(record.block, {})[record.seed] = record
    first = Standing(BASELINE, own[BASELINE], None, track.score) if BASELINE in own else None
    others = [Standing(label, found, first, track.score) for label, found in own.items() if label != BASELINE]
    verdicts = _judge(first, others, protocol.seeds) if first else {}
    ranked = sorted([*([first] if first else []), *others], key=_rank)
    return Table(track, ranked, verdicts, len(blocks), _missing(protocol, blocks, own), data)


def _judge(first: Standing, others: Sequence[Standing], seeds: int) -> dict[str, Verdict]:
    """What is known of the blocks that have a seed in common with `none`."""
    compared = [one for one in others if one.common]
    errors = {one.label: evidence_of(one.cells, first.cells, one.score_name).image_error for one in compared}
    scores = {one.label: {seed: record.score for seed, record in one.records.items()} for one in (first, *others)}
    images = len(next(iter(first.cells.values())).counts)
    return judge(scores, first.label, errors, images=images, seeds=seeds, detect=DETECT)


def _rank(standing: Standing) -> tuple[bool, float]:
    """By the gain over `none`, which compares the same seeds, since not all blocks may have all; else by the score."""
    gain = standing.gain
    return gain is None, -(standing.mean if gain is None else gain)


def _missing(protocol: Protocol, blocks: Sequence[str], own: dict[str, dict[int, Record]]) -> list[str]:
    """The trainings without a record: for each set of seeds the blocks that lack them."""
    lacking: dict[tuple[int, ...], list[str]] = {}
    for block in blocks:
        seeds = tuple(seed for seed in range(protocol.seeds) if seed not in own.get(block, {}))
        lacking.setdefault(seeds, []).append(block)
    lines = []
    for seeds, names in sorted(lacking.items()):
        which = "every seed" if len(seeds) == protocol.seeds else f"seed {' and '.join(map(str, seeds))}"
        lines += [f"{which} of {few(names, 99)}"] if seeds else []
    return lines


def gain_over_images(standing: Standing) -> tuple[float, float, float] | None:
    """Mean gain over `none` and its 95 % interval over the images; None without a common seed.

    Args:
        standing: The block.
    """
    gain = standing.gain
    if standing.baseline is None or gain is None:
        return None
    pair = [
        average([one.cells[seed].draw_scores(one.score_name) for seed in standing.common])
        for one in (standing, standing.baseline)
    ]
    return gain, *interval(pair[0] - pair[1])


def _cell(record: Record) -> Cell:
    nothing = np.zeros(0, dtype=np.float32)
    return Cell(record.counts, nothing, nothing)
