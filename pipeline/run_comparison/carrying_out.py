"""A comparison from the runs' names to what is printed, drawn and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.per_image.record import Record
from foveate.pipeline.resampling.exchange import EXCHANGES
from foveate.pipeline.run_comparison.effects import Pair, compare_records
from foveate.pipeline.run_comparison.pairing import pair_records
from foveate.pipeline.run_comparison.plot import check_plots, draw_pairs
from foveate.pipeline.run_comparison.sources import Count, obtain_record, parse_source
from foveate.pipeline.run_comparison.telling import pairs_as_json, print_pair
from foveate.pipeline.text import few


def carry_out(
    runs: Sequence[str],
    flags: Sequence[str],
    *,
    split: str,
    count: Count | None = None,
    leave_out: bool = False,
    plot: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare runs, and print what was found.

    Args:
        runs: As they were named (see `parse_source`).
        flags: Flags of the recipe, for checkpoints that are evaluated.
        split: val or test.
        count: Counts a folder of predictions.
        leave_out: Whether images that some runs lack are left out.
        plot: File of a picture, if one is asked for.
        seed: Of the random draws.

    Returns:
        All figures, for a JSON file.
    """
    if plot is not None:
        check_plots()
    sources = [parse_source(word) for word in runs]
    found = {source.name: obtain_record(source, split, flags, count) for source in sources}
    records, left_out = pair_records(found, leave_out=leave_out)
    if left_out:
        print(f"left out, since not in all runs: {few(left_out, 20)}", flush=True)
    pairs = compare_records(records, seed=seed)
    _print(pairs, records)
    if plot is not None:
        draw_pairs(pairs, plot)
        print(f"picture written to {plot}", flush=True)
    first = next(iter(records.values()))
    return pairs_as_json(
        pairs,
        {
            "images": len(first),
            "groups": len(set(first.groups)) or None,
            "left_out": left_out,
            "exchanges": EXCHANGES,
            "seed": seed,
        },
    )


def _print(pairs: Sequence[Pair], records: Mapping[str, Record]) -> None:
    for pair in pairs:
        print_pair(pair)
        print(flush=True)
    first = next(iter(records.values()))
    over = f"{len(first):,} images" + (f" in {len(set(first.groups)):,} groups" if first.groups else "")
    print(
        f"over {over}; in brackets: 95 % interval of the difference; p: of no difference, by {EXCHANGES:,} random "
        "exchanges of the two runs, corrected by Holm; *: can be told apart (p below 0.05, and the interval without 0)",
        flush=True,
    )
