"""`--trace-plugins`: each call of a plugin as a line, with its provider and time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "FOVEATE_TRACE_PLUGINS"  # in the environment, so that every process of a training sees it


@contextmanager
def traced(call: str, provider: object, outcome: list[str] | None = None) -> Iterator[None]:
    """Print how long the work inside took, if asked for.

    Args:
        call: The hook, or `import` or `build`.
        provider: Who is called.
        outcome: What came of it, filled in by the work; printed at the end of the line.
    """
    if not os.environ.get(VARIABLE):
        yield
        return
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        outcome = [f"{type(error).__name__}: {error}"]
        raise
    finally:
        took = (time.perf_counter() - started) * 1000
        print(f"plugins: {call:<18} {took:9.2f} ms  {provider}  {' '.join(outcome or [])}", file=sys.stderr, flush=True)
