"""What `foveate leaderboard check` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from foveate.pipeline.leaderboard.agreement import agree
from foveate.pipeline.leaderboard.checks import check_itself
from foveate.pipeline.leaderboard.fit import create_study
from foveate.pipeline.leaderboard.protocol import find_protocol
from foveate.pipeline.leaderboard.record import read_record
from foveate.pipeline.leaderboard.replay import replay
from foveate.pipeline.leaderboard.run import choose_tracks


def check_record(
    protocol: str, paths: Sequence[Path], data: Path | None, steps: int, modules: list[str]
) -> Iterator[str]:
    """Check a record, and whether another one agrees with it; a line about each thing that is right.

    Args:
        protocol: Version of the protocol, or a file.
        paths: The record, and perhaps another one of the same training.
        data: Folder that holds the data sets' folders; None checks only what the records say of themselves.
        steps: How many steps are taken again; 0 for the protocol's number, -1 for all.
        modules: Modules given with --plugins.
    """
    rules = find_protocol(protocol)
    records = [read_record(path) for path in paths]
    for record in records:
        check_itself(record, rules)
        score = f"{record.content['result']['name']} {100 * record.score:.2f} follows from its counts"
        yield f"{record.source}: {record.block} in {record.track}, seed {record.seed}: digest and {score}"
    if len(records) > 1:
        yield agree(records[0], records[1], rules)
    if data is None:
        yield "no step was taken again: --data names the folder of the data sets' folders"
        return
    from foveate.pipeline.startup import import_named

    import_named()
    track = choose_tracks(rules, [records[0].track], data)[0]
    taken = rules.replayed if steps == 0 else track.steps if steps < 0 else steps
    yield from replay(records[0], rules, create_study(track, data, modules), taken)
