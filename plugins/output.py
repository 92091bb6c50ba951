"""What plugins print goes to stderr, since another program may read a command's stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

STDOUT, STDERR = 1, 2


@contextmanager
def diverted() -> Iterator[None]:
    """Redirect stdout to stderr, also that of compiled code and of processes that are started inside."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(STDOUT)
    except OSError:  # a process without stdout
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        with suppress(OSError):
            os.dup2(STDERR, STDOUT)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError, ValueError, AttributeError):
            sys.__stdout__.flush()  # type: ignore[union-attr]
        os.dup2(kept, STDOUT)
        os.close(kept)
