"""How the C library gives out memory to a process that computes."""

from __future__ import annotations

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
LARGEST = 1 << 30  # bytes of a request that is met from what was freed before
OWN_WORDS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let the process keep what it frees for what it asks for next.

    A training step asks for the same hundreds of maps again and again. glibc gives large ones back to the system, which
    hands out zeroed pages anew: on a CPU that takes a seventh of a step of SegNeXt-T. Nothing is done under another C
    library, or where the environment sets this already.

    Returns:
        Whether it was done.
    """
    if any(word in os.environ for word in OWN_WORDS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):  # another C library, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, -1))
