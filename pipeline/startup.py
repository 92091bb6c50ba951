"""Set-up of a training process: memory allocator, log output, faster imports."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import sys
from types import ModuleType

from foveate.pipeline.notes import note
from foveate.pipeline.runs.directories import global_rank

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
LARGEST = 1 << 30  # bytes up to which a request reuses freed memory
OWN_WORDS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
SIGNAL = "scipy.signal"
OLD_NAME = "hamming"


def keep_freed_memory() -> bool:
    """Let the process reuse freed memory instead of returning it to the system.

    Each training step allocates the same hundreds of feature maps. glibc returns large blocks to the system, which has
    to zero new pages for the next step: on a CPU that takes a seventh of a step of SegNeXt-T. Does nothing with
    another C library, or if environment variables set these thresholds already.

    Returns:
        Whether the thresholds were set.
    """
    if any(word in os.environ for word in OWN_WORDS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):  # another C library, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, -1))


class _Said(logging.Handler):
    """Prints messages without a prefix.

    Of several processes that train together the first prints.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if global_rank() == 0:
            note(record.getMessage())


def show_log(name: str) -> None:
    """Print what library code logs, for the command line; a second call does nothing.

    Args:
        name: The logger, whose child loggers are included, such as foveate.datasets.
    """
    logger = logging.getLogger(name)
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said())
        logger.setLevel(logging.INFO)


def import_torchmetrics() -> None:
    """Import torchmetrics without scipy.signal, which saves a second.

    torchmetrics imports scipy.signal only to restore an old name in it, for a package that scores speech. During the
    import, an empty module with that name takes its place. Later imports of scipy.signal get the real one.
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


def import_named() -> None:
    """Import data modules and tasks, which recipes name by class without a module."""
    import_torchmetrics()
    importlib.import_module("foveate.pipeline.runs.data_sets").import_ours()
    for task in ("segmentation", "classification"):
        importlib.import_module(f"foveate.pipeline.{task}")
