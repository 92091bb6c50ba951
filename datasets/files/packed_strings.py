"""Millions of short texts in little memory, which reading processes share as long as nobody writes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Names:
    """A list of texts as one run of bytes: about the length of each, where a Python string takes 50 bytes more.

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
