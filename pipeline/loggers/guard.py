"""Calls to a logging service that may fail or hang, without harm to a training."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from foveate.pipeline.text import first_line

PATIENCE = 30.0  # seconds for one call; a call that takes longer counts as hanging


class Guard:
    """Calls functions of a logging service; the first failure is printed, and none is raised.

    After a lost connection or a call that hangs, nothing more is called: each further try would take its time too.

    Args:
        service: Its name, for messages.
        otherwise: What is not lost, for the message.

    Attributes:
        broken: Whether the service was given up.
    """

    def __init__(self, service: str, otherwise: str = "metrics.csv still gets all metrics") -> None:
        self.service = service
        self.otherwise = otherwise
        self.broken = False
        self._told = False

    def call(self, function: Callable[..., Any], *args: Any, seconds: float = PATIENCE, **kwargs: Any) -> Any:
        """What a function returns; None if it fails, hangs, or the service was given up.

        Args:
            function: The function.
            args: Its arguments.
            seconds: How long it may take.
            kwargs: Its further arguments.
        """
        if self.broken:
            return None
        try:
            return within(seconds, partial(function, *args, **kwargs))
        except Exception as error:  # a logger must not end a training
            self.fail(error)
            return None

    def fail(self, error: Exception) -> None:
        """Print the first failure; give the service up if its connection is lost or it hangs.

        Args:
            error: The failure.
        """
        self.broken = self.broken or isinstance(error, ConnectionError | TimeoutError)
        if not self._told:
            print(
                f"foveate: warning: {self.service} failed ({first_line(error)}); {self.otherwise}",
                file=sys.stderr,
                flush=True,
            )
        self._told = True


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """What a function returns, called in a thread that is left behind if it does not end in time.

    Args:
        seconds: How long it may take.
        function: The function.

    Raises:
        TimeoutError: It did not end in time.
    """
    box: list[Any] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            box.append(function())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="foveate-logger")
    thread.start()
    thread.join(seconds)
    if failures:
        raise as_exception(failures[0])
    if not box:
        raise TimeoutError(f"no answer in {seconds:g} s")
    return box[0]


def as_exception(error: BaseException) -> Exception:
    """An error that can be handled: libraries also end threads with SystemExit.

    Args:
        error: Any error.
    """
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
