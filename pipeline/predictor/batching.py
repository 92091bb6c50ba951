"""Images of one size go through a network together; results come in the order of the images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # batches of images that are held at a time, so that images of one size among others still share a batch


def in_batches(
    items: Iterable[Item],
    apply: Callable[[Sequence[Item]], Sequence[Result]],
    size_of: Callable[[Item], Any],
    batch_size: int,
) -> Iterator[Result]:
    """The results of items, in their order; items of one size are passed together.

    Only a few batches are held at a time, so that memory does not grow with the number of items.

    Args:
        items: The items; they are drawn as they are needed.
        apply: The results of items of one size.
        size_of: What has to be equal in a batch.
        batch_size: How many at most are passed at a time.

    Example:
        >>> list(in_batches("a bb c".split(), lambda batch: [len(batch)] * len(batch), len, 2))
        [2, 1, 2]
    """
    waiting = iter(items)
    held = batch_size if batch_size == 1 else AHEAD * batch_size
    while some := list(islice(waiting, held)):
        results: dict[int, Result] = {}
        for numbers in _grouped([size_of(item) for item in some], batch_size):
            results.update(zip(numbers, apply([some[number] for number in numbers]), strict=True))
        count = len(some)
        some.clear()
        yield from (results.pop(number) for number in range(count))


def _grouped(sizes: Sequence[Any], batch_size: int) -> Iterator[list[int]]:
    """The numbers of the items of each batch."""
    groups: dict[Any, list[int]] = {}
    for number, size in enumerate(sizes):
        groups.setdefault(size, []).append(number)
    for numbers in groups.values():
        yield from (numbers[first : first + batch_size] for first in range(0, len(numbers), batch_size))
