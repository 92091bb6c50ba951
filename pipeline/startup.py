"""How a process that trains is set up: its memory, and its first imports."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import sys
from types import ModuleType

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
LARGEST = 1 << 30  # bytes of a request that is met from what was freed before
OWN_WORDS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
SIGNAL = "scipy.signal"
OLD_NAME = "hamming"


def keep_freed_memory() -> bool:
    """Let the process keep what it frees for what it asks for next.

    Each training step allocates the same hundreds of feature maps. glibc returns large blocks to the system, which has
    to zero new pages for the next step: on a CPU that takes a seventh of a step of SegNeXt-T. Nothing is done under
    another C library, or where the environment sets this already.

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


class _Said(logging.Handler):
    """Shows messages as they are: notes on standard output, warnings on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        print(record.getMessage(), file=stream, flush=True)


def show_log(name: str) -> None:
    """Show what library code logs, for the command line; a second call does nothing.

    Args:
        name: The logger and all below it, such as foveate.datasets.
    """
    logger = logging.getLogger(name)
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said())
        logger.setLevel(logging.INFO)


def import_torchmetrics() -> None:
    """Import torchmetrics a second sooner: without scipy.signal, which it imports only to put an old name back.

    The old name is for a package that scores speech. During the import, a stand-in with that name takes the place of
    scipy.signal. Whoever imports scipy.signal later gets the real one.
    """
    if SIGNAL in sys.modules or "torchmetrics" in sys.modules:
        return
    stand_in = ModuleType(SIGNAL)
    setattr(stand_in, OLD_NAME, None)
    sys.modules[SIGNAL] = stand_in
    try:
        importlib.import_module("torchmetrics")
    finally:
        del sys.modules[SIGNAL]
