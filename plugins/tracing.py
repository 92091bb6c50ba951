"""`--trace-plugins`: prints a line for each call of a plugin, with its provider and duration."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "FOVEATE_TRACE_PLUGINS"  # an environment variable, so that every process of a training sees it


@contextmanager
def traced(call: str, provider: object, outcome: list[str] | None = None) -> Iterator[None]:
    """Print the duration of the work inside, if `--trace-plugins` was given.

    Args:
        call: The name of the hook, or `import` or `build`.
        provider: The plugin that is called.
        outcome: The result, filled in during the work and printed at the end of the line.
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
