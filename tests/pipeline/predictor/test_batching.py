"""Batches of one size, in the order of the items, of which few are held at a time."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.pipeline.predictor.batching import AHEAD, in_batches


def test_results_come_in_order_whatever_the_sizes() -> None:
    words = ["a", "bb", "cc", "d", "eee", "ff", "g"]
    batches: list[list[str]] = []

    def apply(batch: list[str]) -> list[str]:  # type: ignore[type-arg, unused-ignore]
        batches.append(list(batch))
        return [word.upper() for word in batch]

    assert list(in_batches(words, apply, len, 2)) == [word.upper() for word in words]
    assert batches == [["a", "d"], ["g"], ["bb", "cc"], ["ff"], ["eee"]]


def test_items_are_drawn_as_their_results_are_taken() -> None:
    for batch_size, ahead in ((1, 1), (3, AHEAD * 3)):
        drawn: list[int] = []

        def items(drawn: list[int] = drawn) -> Iterator[int]:
            for number in range(100):
                drawn.append(number)
                yield number

        results = in_batches(items(), list, lambda number: number % 2, batch_size)
        for taken, result in enumerate(results):
            assert result == taken
            assert len(drawn) <= taken + ahead
