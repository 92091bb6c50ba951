"""The order of a training epoch, exact over any number of processes, and resumable after any step.

Every sample of an epoch is in one batch of one process, and all processes take the same number of steps. The last two
steps share the remaining samples evenly, so that batch statistics are never of one image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray

from foveate.datasets.batch import Pick

Indices = NDArray[np.int64]
Draw = Callable[[int, int], Indices]  # seed and epoch -> the indices of an epoch, in order
Segment = tuple[int, int, int]  # number of processes, batch size, steps taken with them


def count_steps(count: int, world_size: int, batch_size: int) -> int:
    """Number of steps of an epoch of `count` samples."""
    return math.ceil(math.ceil(count / world_size) / batch_size)


def batch_sizes(count: int, steps: int, batch_size: int) -> list[int]:
    """Sizes of one process's batches: full ones, then two that share the rest.

    Example:
        >>> batch_sizes(10, steps=4, batch_size=3)
        [3, 3, 2, 2]
    """
    if steps < 2:
        return [count] * steps
    rest = count - (steps - 2) * batch_size
    return [batch_size] * (steps - 2) + [rest - rest // 2, rest // 2]


def left_over(positions: Indices, segments: Sequence[Segment]) -> Indices:
    """The positions that no process has read after these segments of an epoch."""
    for world_size, batch_size, taken in segments:
        steps = count_steps(len(positions), world_size, batch_size)
        parts = np.array_split(positions, world_size)
        positions = np.concatenate([p[sum(batch_sizes(len(p), steps, batch_size)[:taken]) :] for p in parts])
    return positions


class TrainOrder:
    """Batches of picks for one process, and how many of them were taken.

    Args:
        draw: Seed and epoch -> the indices of an epoch, in order. Each process takes one stretch of it.
        count: Number of indices in an epoch.
        batch_size: Samples per step and process.
        world_size: Number of processes.
        rank: Which of them this is.
        seed: Decides order and augmentation, together with the epoch.
        company: Whether a batch of one gets a blank second sample where larger batches are asked for: batch norm of a
            feature of 1 x 1 pixel cannot be computed over one sample.
        targets: Seed and epoch -> the class that each sample of an epoch is to show, in the order of `draw`, -1 for
            any; None where it is any for all.
    """

    def __init__(
        self,
        draw: Draw,
        *,
        count: int,
        batch_size: int,
        world_size: int = 1,
        rank: int = 0,
        seed: int = 0,
        company: bool = False,
        targets: Draw | None = None,
    ) -> None:
        self.draw = draw
        self.targets = targets
        self.count = count
        self.batch_size = batch_size
        self.world_size = world_size
        self.rank = rank
        self.seed = seed
        self.company = company
        self.epoch = 0
        self.steps = 0  # handed out with this number of processes and batch size
        self._past: list[Segment] = []  # of this epoch, with others
        self._loaded: dict[str, Any] | None = None

    def __len__(self) -> int:
        return count_steps(self.count, self.world_size, self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that comes next; Lightning calls this."""
        self.epoch = epoch

    def begin(self) -> None:
        """Start the epoch, or continue it where a loaded state stopped."""
        state, self._loaded = self._loaded, None
        self.steps, self._past = 0, []
        if state is None or state["epoch"] != self.epoch:
            return
        self._past = [(int(w), int(b), int(s)) for w, b, s in state["segments"]]
        if self._past and self._past[-1][:2] == (self.world_size, self.batch_size):
            self.steps = self._past.pop()[2]
        elif self._past:
            rank_zero_warn(
                f"the checkpoint's epoch was begun with {_text(self._past[-1])}, and continues with "
                f"{_text((self.world_size, self.batch_size, 0))}, with the samples that are left"
            )

    def __iter__(self) -> Iterator[list[Pick]]:
        left = left_over(np.arange(self.count, dtype=np.int64), self._past)
        steps = count_steps(len(left), self.world_size, self.batch_size)
        part = np.array_split(left, self.world_size)[self.rank]
        order = self.draw(self.seed, self.epoch)
        targets = None if self.targets is None else self.targets(self.seed, self.epoch)
        start = 0
        for step, size in enumerate(batch_sizes(len(part), steps, self.batch_size)):
            if step >= self.steps:
                yield self._picks(part[start : start + size], order, targets)
            start += size

    def _picks(self, positions: Indices, order: Indices, targets: Indices | None) -> list[Pick]:
        if not len(positions):  # fewer samples than processes are left: a blank, so that this process takes a step too
            return [Pick(int(order[0]), blank=True)]
        picks = [
            Pick(int(order[p]), seed=mix(self.seed, self.epoch, p), target=_target(targets, p))
            for p in positions.tolist()
        ]
        alone = self.company and len(picks) == 1 < self.batch_size
        return [*picks, Pick(int(order[0]), blank=True)] if alone else picks

    def state_dict(self, learnt: int | None = None) -> dict[str, Any]:
        """How far the epoch is.

        Args:
            learnt: Number of finished steps, where the last batch handed out may not have been learnt from.
        """
        if self._loaded is not None:
            return self._loaded
        steps = self.steps if learnt is None or self._past else min(self.steps, learnt)
        segments = [list(s) for s in (*self._past, (self.world_size, self.batch_size, steps))]
        return {"epoch": self.epoch, "seed": self.seed, "count": self.count, "segments": segments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state once the epoch that it belongs to begins."""
        if state["count"] != self.count:
            rank_zero_warn(
                f"the checkpoint was in an epoch of {state['count']} samples, and there are {self.count} now: "
                "the epoch starts again"
            )
            return
        self._loaded = dict(state)
        self.seed, self.epoch = state["seed"], state["epoch"]


def _target(targets: Indices | None, position: int) -> int | None:
    return None if targets is None or targets[position] < 0 else int(targets[position])


def _text(segment: Segment) -> str:
    return f"{segment[0]} process(es) and batches of {segment[1]}"


def mix(*numbers: int) -> int:
    """A seed below 2**31 that differs for neighbouring arguments."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def first_picks(draw: Draw, most: int, *, count: int, seed: int, targets: Draw | None = None) -> list[Pick]:
    """The first samples of a training in one process.

    Args:
        draw: See TrainOrder, like the rest.
        most: How many samples at most.
        count: Number of indices in an epoch.
        seed: Decides order and augmentation.
        targets: The class that each sample is to show.
    """
    order = TrainOrder(draw, count=count, batch_size=1, seed=seed, targets=targets)
    return list(islice(chain.from_iterable(order), most))


def shuffle(count: int, times: int = 1) -> Draw:
    """Every index so many times, in random order."""

    def draw(seed: int, epoch: int) -> Indices:
        return np.random.default_rng([seed, epoch]).permutation(count * times) % count

    return draw


def balance(labels: Indices) -> Draw:
    """As many indices as there are labels, all classes with equal probability: samples of rare classes are repeated."""
    counts = np.bincount(labels)
    shares = 1 / counts[labels]
    shares = shares / shares.sum()

    def draw(seed: int, epoch: int) -> Indices:
        return np.random.default_rng([seed, epoch]).choice(len(labels), size=len(labels), p=shares)

    return draw
