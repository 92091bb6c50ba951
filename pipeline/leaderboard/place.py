"""Where a block stands among the others, in words and as badges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from foveate.pipeline.comparison.entries import parse_entries
from foveate.pipeline.files import write_text
from foveate.pipeline.leaderboard.badge import render_badge
from foveate.pipeline.leaderboard.protocol import find_protocol
from foveate.pipeline.leaderboard.record import published, read_records
from foveate.pipeline.leaderboard.showing import consistent
from foveate.pipeline.leaderboard.standings import Standing, Table, gain_over_images, make_tables


def tell_places(protocol: str, folder: Path, block: str) -> list[str]:
    """A line for each track in which a block has a record; its badges are written.

    Args:
        protocol: Version of the protocol, or a file.
        folder: Of one's own records; badges are written there.
        block: The block, as on the command line.
    """
    rules = find_protocol(protocol)
    records, refused = consistent(rules, read_records([published(), folder]))
    entries = parse_entries(block, [""])
    lines = [line for table in make_tables(rules, records) for e in entries for line in _tell(table, e.label, folder)]
    return [*refused, *lines] if lines else []


def _tell(table: Table, label: str, folder: Path) -> Iterator[str]:
    places = {one.label: place for place, one in enumerate(table.standings, start=1)}
    if label not in places:
        return
    place = places[label]
    standing = table.standings[place - 1]
    seeds = f"{len(standing.records)} seed{'s' * (len(standing.records) != 1)}"
    score = f"{table.track.score} {100 * standing.mean:.1f} over {seeds}"
    yield f"{table.name}: {label} is {place} of {len(places)}: {score}{_gain(standing)}"
    path = folder / f"{_file(label)}-{table.track.name}.svg"
    verdict = table.verdicts.get(label)
    write_text(path, render_badge(label, _short(table, standing), str(verdict.known) if verdict else ""))
    yield f"badge: {path}"


def _gain(standing: Standing) -> str:
    found = gain_over_images(standing)
    if found is None:
        return "; no record of none to compare with (foveate leaderboard run --blocks none)"
    gain, low, high = found
    return f", {100 * gain:+.1f} points over none ({100 * low:+.1f} to {100 * high:+.1f} over the images)"


def _short(table: Table, standing: Standing) -> str:
    found = gain_over_images(standing)
    figure = f"{100 * standing.mean:.1f}" if found is None else f"{100 * found[0]:+.1f}"
    return f"{table.track.name} {figure} {table.track.score}"


def _file(label: str) -> str:
    return parse_entries(label, [""])[0].folder
