"""Which training of a comparison comes next, and when it ends: fixed numbers of seeds, or until the answer is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from foveate.pipeline.comparison.deciding import Verdict, decide, evidence_of, next_block
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.result import Cell
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.text import duration, parse_duration

Cells = dict[tuple[str, int], Cell]  # by label and seed


@dataclass(frozen=True)
class Rule:
    """When a comparison ends.

    Attributes:
        detect: Smallest difference that matters, in (0, 1].
        most_seeds: Largest number of seeds of a block.
        budget: Seconds for all trainings of this command; None for any number.
    """

    detect: float
    most_seeds: int
    budget: float | None = None


def create_rule(detect: float | None, budget: str | None, *, seeds: int, most_seeds: int) -> Rule | None:
    """When a comparison ends; None if it ends after a given number of seeds.

    Args:
        detect: Smallest difference that matters, in points; None asks for no rule.
        budget: Time for the trainings, such as 3h.
        seeds: Number of first seeds.
        most_seeds: Largest number of seeds of a block.

    Raises:
        ConfigError: The options do not fit each other.
    """
    if detect is None:
        if budget is not None:
            raise ConfigError("--budget needs --detect POINTS, the smallest difference that matters")
        return None
    if not 0 < detect <= 100:
        raise ConfigError(f"--detect {detect:g}: accepted: points above 0 and up to 100, such as 0.5")
    if most_seeds < seeds:
        raise ConfigError(f"--max_seeds {most_seeds} is less than the first seeds, --seeds {seeds}")
    return Rule(detect / 100, most_seeds, None if budget is None else parse_duration(budget))


@dataclass
class Trainings:
    """The trainings of a comparison, in the order that decides soonest.

    Every block is trained with the first seeds. With a rule, the open block that is expected to be known soonest
    follows with one more seed, until all are known, no number of seeds would tell, or the budget is spent.

    Attributes:
        entries: The blocks; the first one is the baseline.
        cells: The results so far; whoever trains adds to them.
        faults: The blocks that failed; likewise.
        seeds: Number of first seeds.
        score: `mIoU` or `accuracy`.
        rule: When it ends; None ends after the first seeds.
        clock: The time in seconds.
        ended: Why it ended.
    """

    entries: Sequence[Entry]
    cells: Cells
    faults: Mapping[str, str]
    seeds: int
    score: str
    rule: Rule | None = None
    clock: Callable[[], float] = time.monotonic
    ended: str = ""
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def __iter__(self) -> Iterator[tuple[Entry, int, str]]:
        """Block, seed, and a word on progress."""
        first = [(entry, seed) for seed in range(self.seeds) for entry in self.entries]
        for number, (entry, seed) in enumerate(first, start=1):
            if self._spent(entry, seed):
                return
            yield entry, seed, f"[{number}/{len(first)}]"
        if self.rule is not None:
            yield from self._further(self.rule)

    def verdicts(self, rule: Rule) -> dict[str, Verdict]:
        """What is known of each block that did not fail.

        Args:
            rule: With the smallest difference that matters.
        """
        baseline, *others = self.entries
        known = self._of(baseline)
        evidence = {
            entry.label: evidence_of(self._of(entry), known, self.score)
            for entry in others
            if entry.label not in self.faults
        }
        return decide(evidence, rule.detect)

    def _of(self, entry: Entry) -> dict[int, Cell]:
        return {seed: cell for (label, seed), cell in self.cells.items() if label == entry.label}

    def _further(self, rule: Rule) -> Iterator[tuple[Entry, int, str]]:
        baseline, by_label = self.entries[0], {entry.label: entry for entry in self.entries}
        while baseline.label not in self.faults:
            verdicts = self.verdicts(rule)
            capped = {
                label: verdict
                for label, verdict in verdicts.items()
                if len(verdict.evidence.differences) < rule.most_seeds
            }
            chosen = next_block(capped)
            if chosen is None:
                self.ended = _reason(verdicts, capped, rule)
                return
            known, baselines = self._of(by_label[chosen]), self._of(baseline)
            seed = next(number for number in count() if number not in known or number not in baselines)
            open_blocks = sum(verdict.more_seeds != 0 for verdict in verdicts.values())
            for entry in (baseline, by_label[chosen]):
                if (entry.label, seed) in self.cells:
                    continue
                if self._spent(entry, seed):
                    return
                yield entry, seed, f"[{len(self.cells) + 1}; open: {open_blocks}]"
                if entry.label in self.faults:
                    break
        self.ended = f"the baseline failed: {self.faults[baseline.label]}"

    def _spent(self, entry: Entry, seed: int) -> bool:
        """Whether the budget does not suffice for one more training."""
        if self.rule is None or self.rule.budget is None or (entry.label, seed) in self.cells:
            return False
        times = [cell.cost for cell in (*self._of(entry).values(), *self.cells.values())]
        expected = float(np.nanmean(times[: max(1, len(self._of(entry)))])) if times else 0.0
        if self.clock() - self._started + expected <= self.rule.budget:
            return False
        self.ended = f"the budget of {duration(self.rule.budget)} is spent"
        return True


def _reason(verdicts: Mapping[str, Verdict], capped: Mapping[str, Verdict], rule: Rule) -> str:
    """Why no block is trained any more."""
    unknown = [label for label, verdict in verdicts.items() if verdict.more_seeds != 0]
    if not unknown:
        return "every block is known"
    if any(label not in capped for label in unknown):
        return f"{rule.most_seeds} seeds are the most that was asked for (--max_seeds)"
    return "more seeds would not tell; more images would"
