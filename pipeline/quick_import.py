"""torchmetrics, which Lightning imports, without what it imports for others."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

SIGNAL = "scipy.signal"
OLD_NAME = "hamming"


def import_torchmetrics() -> None:
    """Import torchmetrics a second sooner: without scipy.signal, which it imports only to put an old name back.

    The old name is for a package that scores speech. A stand-in that has it takes the place of scipy.signal for as
    long; whoever imports scipy.signal later gets the real one.
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
