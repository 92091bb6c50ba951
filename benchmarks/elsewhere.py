"""Candidates that have a process of their own, whose memory is theirs alone, and still take turns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

READY, DONE = "ready", "done"


class Elsewhere:
    """A candidate in a child process: called, it runs there once and comes back when that has ended.

    Args:
        module: What the child runs; it ends up in `take_turns`.
        words: Its command line.

    Raises:
        RuntimeError: The child ended; what it said is above.
    """

    def __init__(self, module: str, *words: str) -> None:
        self._command = [sys.executable, "-W", "ignore", "-m", module, *words]
        self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._hear(READY)

    def __call__(self) -> None:
        assert self._child.stdin is not None
        print(file=self._child.stdin, flush=True)
        self._hear(DONE)

    def close(self) -> None:
        """End it."""
        self._child.communicate()

    def _hear(self, word: str) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.strip() == word:  # libraries may say something of their own
                return
        self.close()
        raise RuntimeError(f"{' '.join(self._command)} ended with {self._child.returncode}")


def take_turns(step: Callable[[], object]) -> None:
    """The child's side: a step for each line that comes in, until there are no more."""
    print(READY, flush=True)
    for _ in sys.stdin:
        step()
        print(DONE, flush=True)
