"""Requests share the network: images of one size that arrive together go through it as one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class Waiting(Generic[Item, Result]):
    """An item that waits for its result.

    Attributes:
        item: The item.
        key: What has to be equal in a batch.
        result: Is set later.
        since: When it came.
    """

    item: Item
    key: object
    result: Future[Result] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Batcher(Generic[Item, Result]):
    """Applies a function to batches of what several threads hand in, in a thread of its own.

    The oldest item decides which batch is next: it goes with all others of its kind, as many as fit.

    Args:
        apply: The results of a batch of items.
        batch: How many at most.
        wait: Seconds that the oldest item waits for more of its kind.
        told: Called with the size of each batch.

    Example:
        >>> batcher = Batcher(lambda items: [item * 2 for item in items], batch=4, wait=0.0)
        >>> batcher.submit(21, "number").result()
        42
        >>> batcher.close()
    """

    def __init__(
        self,
        apply: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        batch: int,
        wait: float,
        told: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._apply, self._batch, self._wait, self._told = apply, batch, wait, told
        self._queue: list[Waiting[Item, Result]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="foveate-batches", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def submit(self, item: Item, key: object) -> Future[Result]:
        """Hand in an item.

        Args:
            item: The item.
            key: Only items with the same key are in a batch.

        Returns:
            Its result, later; an item is left out if it is cancelled before its turn.

        Raises:
            RuntimeError: The batcher is closed.
        """
        waiting: Waiting[Item, Result] = Waiting(item, key)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._queue.append(waiting)
            self._changed.notify()
        return waiting.result

    def close(self) -> None:
        """End once every item has its result."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while taken := self._take():
            running = [one for one in taken if one.result.set_running_or_notify_cancel()]
            if running:
                self._told(len(running))
                self._answer(running)
            taken.clear()  # else the last batch would stay in memory until the next one comes
            running.clear()

    def _take(self) -> list[Waiting[Item, Result]]:
        """The next batch; empty if there will be none."""
        with self._changed:
            while not self._queue:
                if self._closed:
                    return []
                self._changed.wait()
            oldest = self._queue[0]
            until = oldest.since + self._wait
            while len(mine := self._alike(oldest)) < self._batch and not self._closed:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            self._queue = [one for one in self._queue if one not in mine]
            return mine

    def _alike(self, oldest: Waiting[Item, Result]) -> list[Waiting[Item, Result]]:
        return [one for one in self._queue if one.key == oldest.key][: self._batch]

    def _answer(self, taken: Sequence[Waiting[Item, Result]]) -> None:
        """Set the results of a batch; after an error each item is tried alone, so that it fails only where it is."""
        try:
            results = self._apply([one.item for one in taken])
        except Exception as error:
            if len(taken) == 1:
                taken[0].result.set_exception(error)
                return
            for one in taken:
                self._answer([one])
            return
        for one, result in zip(taken, results, strict=True):
            one.result.set_result(result)
