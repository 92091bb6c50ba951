"""Keeps Lightning from handling signals itself."""

from __future__ import annotations

import lightning.pytorch as L
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector


class _Silent(_SignalConnector):
    """Registers nothing. Lightning's own handler starts a collective operation inside a signal handler, and hangs."""

    def register_signal_handlers(self) -> None:
        """Leave the handlers as they are."""
        self.received_sigterm = False


def leave_signals_to_us(trainer: L.Trainer) -> None:
    """Have a trainer ignore signals; `StepBoundary` ends it after one.

    Args:
        trainer: The trainer.
    """
    trainer._signal_connector = _Silent(trainer)
