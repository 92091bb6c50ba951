"""What another program may read of a command's stdout: JSON of one form, and nothing that plugins print."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Any

STDOUT, STDERR = 1, 2
SCHEMA = 1  # of a JSON document that says nothing else; raised when a key goes, or means something else


PRINTED: ContextVar[bool] = ContextVar("PRINTED", default=False)  # whether stdout holds a JSON document


def print_json(figures: Mapping[str, Any]) -> None:
    """Print figures as the one JSON document of a command.

    Args:
        figures: What JSON can hold.
    """
    PRINTED.set(True)
    print(to_json(figures), flush=True)


def to_json(figures: Mapping[str, Any]) -> str:
    """Figures as a JSON document, with the version of its schema before them.

    Args:
        figures: What JSON can hold; `schema` among them wins. NaN and infinite numbers become null.

    Example:
        >>> print(to_json({"miou": 0.5}))
        {
         "schema": 1,
         "miou": 0.5
        }
    """
    return json.dumps(_finite({"schema": SCHEMA, **figures}), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    """A value in which numbers that JSON does not have (NaN, infinite ones) are null."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
