"""The C++ that counts label maps, compiled at its first use."""

from __future__ import annotations

import ctypes
from pathlib import Path

from foveate.plugins.ops.native.loading import Library, load_optional

COUNTING = Library(
    name="label_maps",
    sources=(Path(__file__).parent / "counting.cpp",),
    what="what counts label maps",
    instead="slower ways are",
    seconds=2,
)


def native() -> ctypes.CDLL | None:
    """The compiled functions; None where they are switched off or not available, and slower ones are used."""
    return load_optional(COUNTING)
