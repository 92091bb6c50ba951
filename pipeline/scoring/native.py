"""The C++ that decodes and counts label maps, compiled at its first use."""

from __future__ import annotations

import ctypes
import logging
import threading
from functools import cache
from pathlib import Path

from foveate.plugins.ops.native.loading import Library, is_switched_off, load

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.cpp")))

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


def native() -> ctypes.CDLL | None:
    """The compiled functions; None where they are switched off or not available, and slower ones are used."""
    with _one_at_a_time:  # else every thread would compile them
        return _loaded()


@cache
def _loaded() -> ctypes.CDLL | None:
    if is_switched_off():
        return None
    what, instead = "the reader of label maps", "slower ones are"
    try:
        return load(Library(name="label_maps", sources=SOURCES, what=what, instead=instead, seconds=3))
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        log.info("%s is not used, %s: %s", what, instead, error)
        return None
