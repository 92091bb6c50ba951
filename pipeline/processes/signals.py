"""Signals: during a training the first one is only noted, and the training ends at the next step boundary.

Python calls a handler between two instructions, anywhere: in the middle of an optimiser's step, or while a checkpoint
is written. An exception raised there would leave weights that are half updated. So the handler sets a flag, and the
training loop looks at it where every state is whole.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from foveate.pipeline.errors import Stopped

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")  # SIGHUP and SIGUSR1 are not on Windows
SAME = 1.0  # seconds in which signals count as one: `timeout`, torchrun and terminals often send two
PATIENCE = 3  # signals after which a command that is already ending is left at once


class Receiver:
    """What signals ask of this process.

    Attributes:
        pending: Number of the signal that asks the training to end; 0 if none came.
        defers: Whether a first signal is noted only, because a training ends by itself at its next step boundary.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what came."""
        self.pending = 0
        self.defers = False
        self._noted = 0.0
        self._ends = False  # an exception is on its way out
        self._count = 0

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal; Python calls this.

        Args:
            number: The signal.
            frame: Not used.

        Raises:
            Stopped: The command is to end now.
        """
        now = time.monotonic()
        if self._ends:
            self._count += 1
            if self._count >= PATIENCE:
                os._exit(128 + number)
            return
        if self.defers and not self.pending:
            self.pending, self._noted = number, now
            _say("stopping after this step, with a checkpoint; a second signal stops at once, without one")
            return
        if self.defers and now - self._noted < SAME:
            return
        self._ends = True
        raise Stopped(number, at_once=self.defers)

    def close(self) -> None:
        """Ignore signals from now on, since the command ends; only after several of them is it left at once."""
        self._ends = True


RECEIVER = Receiver()


@contextmanager
def listening() -> Iterator[Receiver]:
    """Handle signals until the block ends; those that the parent ignores (nohup, a background job) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield RECEIVER
        return
    before: dict[int, Any] = {}
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and _is_ours(name, signal.getsignal(number)):
            before[number] = signal.signal(number, RECEIVER.handle)
    RECEIVER.reset()
    try:
        yield RECEIVER
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ours(name: str, handler: object) -> bool:
    """Whether a signal is to be handled: not if it is ignored, and SIGUSR1 only in a job of SLURM."""
    return handler is not signal.SIG_IGN and (name != "SIGUSR1" or "SLURM_JOB_ID" in os.environ)


@contextmanager
def deferring() -> Iterator[Receiver]:
    """Note the first signal only, until the block ends."""
    RECEIVER.defers = True
    try:
        yield RECEIVER
    finally:
        RECEIVER.defers = False


def _say(text: str) -> None:
    """Print from a signal handler: not through a stream, which may be in the middle of a write."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), f"\nfoveate: {text}\n".encode())
