"""JSON of other programs, read entry by entry: what is missing or of another kind is an error that names the place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.annotations.model import Ring
from foveate.datasets.errors import DataError
from foveate.datasets.text import near_path

LARGEST_SET = 2_000_000_000  # bytes of a file about a whole set; COCO's largest has 450 million
LARGEST_ONE = 250_000_000  # bytes of a file about one image, which may hold the image itself


class Entry:
    """A value in a JSON file, with the way to it.

    Args:
        value: The value.
        name: Its key or position; the file, for the outermost.
        parent: The entry that it lies in.
    """

    __slots__ = ("_name", "_parent", "value")

    def __init__(self, value: Any, name: str, parent: Entry | None = None) -> None:
        self.value, self._name, self._parent = value, name, parent

    @property
    def where(self) -> str:
        """The file and the way to the value, for messages.

        Example:
            >>> Entry({"a": [5]}, "x.json")["a"].item(0).where
            'x.json: a[0]'
        """
        if self._parent is None:
            return self._name
        between = ": " if self._parent._parent is None else "" if self._name.startswith("[") else "."
        return f"{self._parent.where}{between}{self._name}"

    def fail(self, problem: str) -> DataError:
        """An error about this entry, to be raised."""
        return DataError(f"{self.where}: {problem}")

    def __getitem__(self, key: str) -> Entry:
        found = self.get(key)
        if found is None:
            raise self.fail(f"has no {key!r}")
        return found

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None if it is missing or null."""
        if not isinstance(self.value, dict):
            raise self.fail(f"expected an object with {key!r}, not {_short(self.value)}")
        value = self.value.get(key)
        return None if value is None else Entry(value, key, self)

    def item(self, index: int) -> Entry:
        """An entry of a list."""
        if not isinstance(self.value, list) or not -len(self.value) <= index < len(self.value):
            raise self.fail(f"expected a list with a value at {index}, not {_short(self.value)}")
        return Entry(self.value[index], f"[{index}]", self)

    def items(self) -> Iterator[Entry]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            raise self.fail(f"expected a list, not {_short(self.value)}")
        return (Entry(value, f"[{index}]", self) for index, value in enumerate(self.value))

    def pairs(self) -> Iterator[tuple[str, Entry]]:
        """Keys and entries of an object."""
        if not isinstance(self.value, dict):
            raise self.fail(f"expected an object, not {_short(self.value)}")
        return ((key, Entry(value, key, self)) for key, value in self.value.items())

    def text(self) -> str:
        """The value, which has to be a text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.fail(f"expected a text, not {_short(self.value)}")
        return self.value

    def number(self) -> float:
        """The value, which has to be a finite number."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool) or not math.isfinite(self.value):
            raise self.fail(f"expected a number, not {_short(self.value)}")
        return float(self.value)

    def whole(self) -> int:
        """The value, which has to be a whole number from 0 up; 5.0 is one."""
        number = self.number()
        if number < 0 or number != int(number):
            raise self.fail(f"expected a whole number from 0 up, not {_short(self.value)}")
        return int(number)

    def wholes(self, count: int) -> list[int]:
        """The value, which has to be a list of so many whole numbers from 0 up."""
        found = [one.whole() for one in self.items()]
        if len(found) != count:
            raise self.fail(f"expected {count} numbers, not {len(found)}")
        return found

    def says(self, key: str) -> bool:
        """Whether a key is there with a value that is not 0, false or empty."""
        found = self.get(key)
        return found is not None and bool(found.value)

    def ring(self) -> Ring:
        """The points (N, 2) of a list `[[x, y], ...]` or `[x, y, x, y, ...]`."""
        try:
            points = np.array(self.value, dtype=np.float64)
        except (TypeError, ValueError):
            points = np.empty((0, 1, 1))
        if points.ndim == 1 and points.size % 2 == 0:
            points = points.reshape(-1, 2)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise self.fail(f"expected points such as [[x, y], ...], not {_short(self.value)}")
        return points


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_json(path: Path, largest: int = LARGEST_ONE) -> Entry:
    """The content of a JSON file.

    Args:
        path: The file.
        largest: Bytes that it may have.

    Raises:
        DataError: It is missing, too large, or no JSON.
    """
    data = read_limited(path, largest)
    try:
        return Entry(json.loads(data), str(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged JSON: {error}") from None


def read_text(path: Path, largest: int = LARGEST_ONE) -> str:
    """The content of a text file.

    Args:
        path: The file.
        largest: Bytes that it may have.

    Raises:
        DataError: It is missing, too large, or no text in UTF-8.
    """
    try:
        return read_limited(path, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no text in UTF-8: {error}") from None


def read_limited(path: Path, largest: int) -> bytes:
    """The bytes of a file that is not too large.

    Args:
        path: The file.
        largest: Bytes that it may have.

    Raises:
        DataError: It is missing or larger.
    """
    try:
        if (size := path.stat().st_size) > largest:
            raise DataError(f"{path}: {size / 1e6:.0f} MB; a file of this kind has at most {largest / 1e6:.0f} MB")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file{near_path(path)}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
