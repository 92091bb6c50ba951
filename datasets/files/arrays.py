"""Reads `.npy` arrays, one thread at a time."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_AT_A_TIME = Lock()


def load_array(content: bytes) -> NDArray[Any]:
    """The array of a `.npy` file.

    numpy has Python's parser read the header. In Python 3.11 two threads that parse at once may both fail with
    SystemError (AST constructor recursion depth mismatch), since they share one count of the depth.

    Args:
        content: The file's bytes.

    Raises:
        ValueError: It is no array, or one of Python objects.
    """
    with ONE_AT_A_TIME:
        array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def map_array(path: Path) -> NDArray[Any]:
    """The array of a `.npy` file, of which only the header is read.

    Args:
        path: The file.

    Raises:
        ValueError: It is no array, or one of Python objects.
        OSError: It cannot be read.
    """
    with ONE_AT_A_TIME:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
