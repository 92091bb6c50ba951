"""Suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, accepted: Iterable[str]) -> str:
    """`; did you mean 'x'?` if an accepted name is similar, else an empty string.

    Example:
        >>> did_you_mean("cbma", ["cbam", "se"])
        "; did you mean 'cbam'?"
    """
    close = difflib.get_close_matches(given, list(accepted), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
