"""Files that a training can do without: if they cannot be written, it goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class OptionalFiles:
    """Writes files that a training can do without; the first failure is printed, and none is raised.

    Args:
        what: What is written, in the plural, for the message.

    Example:
        >>> import io, contextlib
        >>> pictures, printed = OptionalFiles("pictures"), io.StringIO()
        >>> with contextlib.redirect_stderr(printed):
        ...     for _ in range(2):
        ...         with pictures.attempt():
        ...             raise OSError(28, "No space left on device")
        >>> printed.getvalue()
        'foveate: warning: pictures cannot be written ([Errno 28] No space left on device); the training goes on\\n'
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._told = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Write something in the block."""
        try:
            yield
        except OSError as error:
            if not self._told:
                message = f"{self.what} cannot be written ({error}); the training goes on"
                print(f"foveate: warning: {message}", file=sys.stderr, flush=True)
            self._told = True
