"""Millions of short texts in little memory, which reading processes share, since it is never written to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Names:
    """A list of texts in one array of bytes; a list of Python strings takes some 50 bytes more for each.

    Args:
        texts: File names; they may hold any bytes.

    Example:
        >>> Names(["a.png", "b.png"])[1]
        'b.png'
    """

    def __init__(self, texts: Iterable[str]) -> None:
        coded = [text.encode("utf-8", "surrogateescape") for text in texts]  # file names may be any bytes
        self._bytes = np.frombuffer(b"".join(coded), dtype=np.uint8)
        self._ends = np.cumsum([len(text) for text in coded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = int(self._ends[index - 1]) if index else 0
        return self._bytes[start : int(self._ends[index])].tobytes().decode("utf-8", "surrogateescape")
