"""`foveate leaderboard`: trains every block by one protocol, adds one's own, checks records, shows the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.notes import note
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

OUT = "leaderboard"  # folder of one's own records
DATA = "data"  # folder of the data sets' folders
CURRENT = "1"
ALL = "all"


def run(
    data: str = DATA,
    blocks: str = ALL,
    slots: str = "",
    budget: str | None = None,
    out: str = OUT,
    protocol: str = CURRENT,
    plugins: str = "",
    dry_run: bool = False,
    json: str | None = None,
) -> None:
    """Train the blocks that have no record yet, one after the other; an interrupted run is continued.

    Every block gets its first seed in every track, then its second. Ctrl-C loses the training that runs, no other.
    Started several times with one --out, the processes share the work.

    Example: foveate leaderboard run --data ~/data --budget 30m

    Args:
        data: Folder that holds the data sets' folders: camvid and cifar10.
        blocks: Comma-separated, as in `foveate compare`: se, lka(kernel=35); all for those that are installed.
        slots: Comma-separated tracks or slots, such as camvid-gate or gate; all of them if empty.
        budget: Time for the trainings, such as 30m or 3h.
        out: Folder for the records.
        protocol: Version of the protocol, or a file of one's own.
        plugins: Comma-separated modules or files that offer blocks.
        dry_run: Only list the trainings that would run.
        json: File for the names of the records, or - for standard output, also without a value.
    """

    def find() -> dict[str, Any]:
        if dry_run:
            return {"trainings": _print(_list(_wishes(data, blocks, slots, budget, out, plugins), protocol))}
        _note(_train(_wishes(data, blocks, slots, budget, out, plugins), protocol))
        found = _records(out)
        print(f"{out}: {len(found['records'])} records", flush=True)
        return found

    answer(json, find)


def add(
    block: str,
    data: str = DATA,
    plugins: str = "",
    slots: str = "",
    out: str = OUT,
    protocol: str = CURRENT,
    json: str | None = None,
) -> None:
    """Train a block of one's own by the protocol: records to publish, its place among the others, and a badge.

    Example: foveate leaderboard add my-block --plugins my_block.py --data ~/data

    Args:
        block: The block; with options, my-block(kernel=7).
        data: Folder that holds the data sets' folders: camvid and cifar10.
        plugins: Comma-separated modules or files that offer it.
        slots: Comma-separated tracks or slots, such as camvid-gate or gate; all of them if empty.
        out: Folder for records and badges.
        protocol: Version of the protocol, or a file of one's own.
        json: File for the names of the records and the places, or - for standard output, also without a value.

    Raises:
        ConfigError: It has no record afterwards.
    """

    def find() -> dict[str, Any]:
        _note(_train(_wishes(data, block, slots, None, out, plugins), protocol))
        from foveate.pipeline.leaderboard.place import tell_places

        lines = tell_places(protocol, Path(out).expanduser(), block)
        if not lines:
            raise ConfigError(f"{block}: no training was completed; the lines above say why")
        _print(lines)
        return {**_records(out), "places": lines}

    answer(json, find)


def show(
    records: str = OUT,
    page: str | None = None,
    markdown: str | None = None,
    protocol: str = CURRENT,
    published: bool = True,
    json: str | None = None,
) -> None:
    """Print the tables, of the published records and one's own; write them as a page or as Markdown.

    Example: foveate leaderboard show --page leaderboard.html

    Args:
        records: Folder of one's own records; it need not exist.
        page: HTML file to write: sortable tables, accuracy against cost, each class; it needs no network.
        markdown: Markdown file to write.
        protocol: Version of the protocol, or a file of one's own.
        published: Whether the records that come with Foveate are shown too.
        json: File for the tables, or - for standard output, also without a value.
    """
    from foveate.pipeline.leaderboard.showing import figures_of_tables, show_tables

    folder = Path(records).expanduser()

    def find() -> dict[str, Any]:
        _print(show_tables(protocol, folder, page, markdown, published=published))
        return {} if json is None else figures_of_tables(protocol, folder, published=published)

    answer(json, find)


def check(
    record: str,
    data: str | None = None,
    against: str | None = None,
    steps: str = "",
    protocol: str = CURRENT,
    plugins: str = "",
    json: str | None = None,
) -> None:
    """Refuse a record that was changed or does not come out here: digest, counts, costs, losses of its first steps.

    Without --data only what the record says of itself is checked. The exit code is 0 if all is right, 2 for another
    protocol, 3 for other data, 5 for another block, and 4 otherwise.

    Example: foveate leaderboard check leaderboard/camvid-gate/se-0.json --data ~/data

    Args:
        record: The record.
        data: Folder that holds the data sets' folders; the first steps are taken again.
        against: Somebody else's record of the same training, which has to agree with it.
        steps: How many steps are taken again; all repeats the training, and compares the score.
        protocol: Version of the protocol, or a file of one's own.
        plugins: Comma-separated modules or files that offer the block.
        json: File for what was checked, or - for standard output, also without a value.

    Raises:
        ConfigError: An option is invalid, or the record is of another protocol.
    """
    if steps and steps != ALL and not (steps.isdigit() and int(steps)):
        raise ConfigError(f"--steps {steps}: accepted: a number from 1, or all")
    _load(plugins)
    from foveate.pipeline.leaderboard.checking import check_record

    taken = 0 if not steps else -1 if steps == ALL else int(steps)
    files = [Path(name).expanduser() for name in (record, against) if name]
    folder = None if data is None else Path(data).expanduser()

    def find() -> dict[str, Any]:
        lines = _print(check_record(protocol, files, folder, taken, split_names(plugins)))
        return {"records": list(map(str, files)), "right": lines}

    answer(json, find)


def _note(lines: Iterable[str]) -> None:
    """Print lines about what is going on."""
    for line in lines:
        note(line)


def _print(lines: Iterable[str]) -> list[str]:
    """Print lines as they come, and return them."""
    printed = []
    for line in lines:
        print(line, flush=True)
        printed.append(line)
    return printed


def _records(out: str) -> dict[str, Any]:
    """The records in a folder."""
    return {"records": sorted(map(str, Path(out).expanduser().glob("*/*.json")))}


def _wishes(data: str, blocks: str, slots: str, budget: str | None, out: str, plugins: str) -> Any:
    """What is to be trained (`Wishes`), with the modules loaded that offer it."""
    _load(plugins)
    from foveate.pipeline.leaderboard.training import Wishes

    return Wishes(
        data=Path(data).expanduser(),
        blocks="" if blocks == ALL else blocks,
        slots=split_names(slots),
        budget=budget,
        out=Path(out).expanduser(),
        modules=split_names(plugins),
    )


def _train(wishes: Any, protocol: str) -> Iterator[str]:
    """Lines about the trainings, as they go on."""
    from foveate.pipeline.leaderboard.training import train_all

    return train_all(protocol, wishes)


def _list(wishes: Any, protocol: str) -> Iterator[str]:
    """The trainings that would run."""
    from foveate.pipeline.leaderboard.training import list_open

    return list_open(protocol, wishes)


def _load(plugins: str) -> None:
    modules = split_names(plugins)
    if modules:
        installed_plugins(modules)


COMMANDS = {"run": run, "add": add, "show": show, "check": check}
