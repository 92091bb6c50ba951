"""Finds the tables of a data set and the split that each belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folders.names import SPLITS
from foveate.datasets.tables.card import read_subsets
from foveate.datasets.tables.reading import ENDINGS
from foveate.datasets.text import few

SAVED = "state.json"  # beside the tables of `save_to_disk`
SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]+)?$")
DEEPEST = 4  # folders below the root in which tables are looked for
Tables = Mapping[str, Sequence[Path]]  # train, val, test -> files, in order


@dataclass(frozen=True)
class Found:
    """The tables of a data set.

    Attributes:
        splits: Files of train, val and test; any of them may be missing.
        lines: What was left out, in words.
    """

    splits: Tables
    lines: Sequence[str] = ()


def list_tables(root: Path) -> list[Path]:
    """The Parquet and Arrow files below a folder, sorted, without hidden ones.

    Args:
        root: The folder.
    """
    patterns = ["/".join(["*"] * depth) for depth in range(1, DEEPEST + 1)]
    found = (path for pattern in patterns for path in root.glob(pattern) if path.suffix in ENDINGS)
    tables = sorted(path for path in found if not _is_hidden(path.relative_to(root)) and path.is_file())
    saved = {folder: _saved(folder) for folder in {path.parent for path in tables}}
    return [path for path in tables if not saved[path.parent] or path.name in saved[path.parent].get("files", ())]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "metadata.parquet" for part in path.parts)


def find_splits(root: Path, subset: str | None = None) -> Found:
    """The tables of each split: as the card lists them, else by the names of files and folders.

    Args:
        root: The data set's folder.
        subset: Which of several subsets ("configurations") is meant.

    Raises:
        DataError: There are no tables, some are missing, or the subset has no train split.
        DataConfigError: There are several subsets and none was chosen, or there is no such subset.
    """
    tables = list_tables(root)
    if not tables:
        raise DataError(f"{root}: no Parquet or Arrow files in it")
    if len({path.suffix for path in tables}) > 1:
        raise DataError(f"{root} holds Parquet and Arrow files, maybe the same rows twice: leave one form in it")
    listed = read_subsets(root)
    if listed:
        patterns = listed[_choose(subset, sorted(listed), root)]
        named = [(_split_of(split), p) for split, some in patterns.items() for p in some]
        by_split = [(next((s for s, p in named if _matches(file, root, p)), None), file) for file in tables]
        by_split = [(split, file) for split, file in by_split if split or not _in_other(file, root, listed)]
    else:
        by_split = [(_by_name(file, root), file) for file in _of_subset(tables, root, subset)]
    if not any(split for split, _ in by_split):
        by_split = [("train", file) for _, file in by_split]
    return _gather(by_split, root)


def _matches(file: Path, root: Path, pattern: str) -> bool:
    return fnmatchcase(file.relative_to(root).as_posix(), pattern)


def _in_other(file: Path, root: Path, listed: Mapping[str, Mapping[str, list[str]]]) -> bool:
    """Whether any subset of a card claims a file."""
    return any(_matches(file, root, p) for splits in listed.values() for some in splits.values() for p in some)


def _gather(by_split: Iterable[tuple[str | None, Path]], root: Path) -> Found:
    splits: dict[str, list[Path]] = {}
    unclear = []
    for split, file in by_split:
        if split in ("train", "val", "test"):
            splits.setdefault(split, []).append(file)
        else:
            unclear.append(file.relative_to(root).as_posix())
    for files in splits.values():
        _check_complete(files)
    if "train" not in splits:
        raise DataError(f"{root}: no tables of train; there are {few([*splits, *unclear])}")
    lines = [f"passed over {len(unclear)} tables of no known split: {few(unclear)}"] if unclear else []
    return Found(splits, lines)


def _split_of(name: str) -> str | None:
    return SPLITS.get(name.lower())


def _by_name(file: Path, root: Path) -> str | None:
    """The split that a file's name says, such as train-00000-of-00002 or cifar10-test; else that of its folders."""
    folders = reversed(file.relative_to(root).parts[:-1])
    said = _said(file) or next((split for part in folders if (split := _split_of(part))), None)
    return said or _split_of(str(_saved(file.parent).get("split")))


def _said(file: Path) -> str | None:
    words = re.split(r"[-_.]", SHARD.sub("", file.stem).lower())
    return SPLITS.get(words[-1]) or (SPLITS.get(words[0]) if len(words) == 2 and words[1].isdigit() else None)


def _choose(subset: str | None, known: Sequence[str], root: Path) -> str:
    """The subset that is meant."""
    if subset is None and (len(known) == 1 or "default" in known):
        return known[0] if len(known) == 1 else "default"
    if subset in known:
        return str(subset)
    given = "which subset?" if subset is None else f"no subset {subset!r};"
    raise DataConfigError(f"{root}: {given} give --data.subset with one of {few(known, 20)}")


def _of_subset(tables: Sequence[Path], root: Path, subset: str | None) -> list[Path]:
    """The tables of a subset, where each has a folder of its own: SUBSET/SPLIT/0000.parquet."""
    folders = {file: _subset_of(file.relative_to(root)) for file in tables}
    known = sorted({folder for folder in folders.values() if folder})
    if subset is None and len(known) < 2:
        return list(tables)
    chosen = _choose(subset, known, root)
    return [file for file, folder in folders.items() if folder == chosen]


def _subset_of(path: Path) -> str:
    """The first folder, where a folder named after a split follows; or where the file itself names its split."""
    first = path.parts[0]
    if len(path.parts) < 2 or _split_of(first) or first == "data":
        return ""
    return first if any(_split_of(part) for part in path.parts[1:-1]) or _said(path) else ""


def _check_complete(files: Sequence[Path]) -> None:
    """Refuse a split of which files are missing, as their names tell: 00000-of-00004."""
    shards: dict[tuple[str, int], set[int]] = {}
    for file in files:
        if found := SHARD.search(file.stem):
            name = str(file.parent / file.stem[: found.start()])
            shards.setdefault((name, int(found[2])), set()).add(int(found[1]))
    for (name, total), numbers in shards.items():
        if missing := [f"{number:05d}" for number in range(total) if number not in numbers]:
            raise DataError(f"{name}: {len(missing)} of {total} files are missing: {few(missing)}; download them again")


def _saved(folder: Path) -> Mapping[str, Any]:
    """What `save_to_disk` notes in a folder: its split, and its files; others there are copies of later work."""
    try:
        said = json.loads((folder / SAVED).read_text(encoding="utf-8"))
        return {"split": said.get("_split"), "files": [one["filename"] for one in said["_data_files"]]}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
