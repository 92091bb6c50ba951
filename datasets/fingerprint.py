"""What a data set is recognised by: a hash of the names and sizes of its files, which costs no reading of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence, Sized
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from foveate.datasets.errors import DataError
from foveate.datasets.files.survey import spread

SPLITS = ("train", "val", "test")
SIZED = 20_000  # files of a split whose size is asked for; of more, that many, evenly spread


@dataclass(frozen=True)
class SplitPrint:
    """What a split is recognised by.

    Attributes:
        samples: How many there are.
        files: How many names were hashed; 0 where samples come from no files of their own.
        sized: Of how many of them the size was hashed.
        bytes: The sum of those sizes.
        sha256: The hash, in hexadecimal digits.
    """

    samples: int
    files: int
    sized: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Fingerprint:
    """What a data set is recognised by; the same on every machine that holds the same files.

    Attributes:
        kind: Class of the data module.
        classes: Names of the classes.
        splits: Each split that there is.
    """

    kind: str
    classes: tuple[str, ...]
    splits: dict[str, SplitPrint]

    @property
    def sha256(self) -> str:
        """The hash of all of it, in hexadecimal digits."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()

    def as_json(self) -> str:
        """All of it as text."""
        return json.dumps(asdict(self), indent=1)


_taken: WeakKeyDictionary[Any, Fingerprint] = WeakKeyDictionary()  # a training asks for it more than once


def take_fingerprint(data: Any) -> Fingerprint:
    """The fingerprint of the splits that a data module has set up, and of test if it lists one.

    A file whose content changes and whose size does not is not noticed.

    Args:
        data: A data module; one that names no files is known by its class, its classes and its samples' number.
    """
    known = None
    with suppress(TypeError):  # of a kind that cannot be remembered so
        known = _taken.get(data)
    if known is not None and set(known.splits) == {split for split in SPLITS if _dataset(data, split) is not None}:
        return known
    root = getattr(data, "root", None)
    found = {}
    for split in SPLITS:
        dataset = _dataset(data, split)
        if dataset is not None:
            found[split] = _print_split(dataset, None if root is None else Path(root))
    names = getattr(getattr(data, "label_set", None), "names", ())
    taken = Fingerprint(type(data).__name__, tuple(map(str, names)), found)
    with suppress(TypeError):  # of a kind that cannot be remembered so
        _taken[data] = taken
    return taken


def _dataset(data: Any, split: str) -> Sized | None:
    """A split that was set up; None if there is none."""
    try:
        return data.dataset(split)  # type: ignore[no-any-return]
    except (AttributeError, KeyError, DataError, NotImplementedError):
        return None


def _print_split(dataset: Sized, root: Path | None) -> SplitPrint:
    digest, count, total, sized = hashlib.sha256(), 0, 0, 0
    pairs: Sequence[Any] | None = getattr(dataset, "pairs", None)  # of which a sample may be a part only
    length = len(dataset) if pairs is None else len(pairs)
    chosen = set(spread(length, SIZED))
    for number in range(length):
        for path in _files(dataset, number) if pairs is None else pairs[number].files:
            count += 1
            size = _size(path) if number in chosen else None
            total, sized = total + (size or 0), sized + (size is not None)
            digest.update(os.fsencode(f"{_name(path, root)}\0{'' if size is None else size}\0"))
    return SplitPrint(len(dataset), count, sized, total, digest.hexdigest())


def _files(dataset: Any, number: int) -> Iterator[Path]:
    """The file of a sample; none where the data set does not say."""
    if hasattr(dataset, "path"):
        yield dataset.path(number)


def _name(path: Path, root: Path | None) -> str:
    """The path inside the data set's folder, as it is on every machine; there may be millions."""
    text, start = str(path), f"{root}{os.sep}"
    return text.removeprefix(start).replace(os.sep, "/") if root and text.startswith(start) else path.name


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
