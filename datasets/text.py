"""Short forms of what messages show, and sizes as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from foveate.datasets.errors import DataConfigError

SHOWN = 5


def few(names: Iterable[str], shown: int = SHOWN, separator: str = ", ") -> str:
    """The first few of a list, and how many more there are.

    Example:
        >>> few(["a", "b", "c"], shown=2)
        'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels.

    Args:
        text: HEIGHTxWIDTH, such as 256x512; also 256,512 or [256, 512], as a recipe writes it.

    Raises:
        DataConfigError: It is not written so.

    Example:
        >>> parse_size("1024x2048"), parse_size("[256, 512]")
        ((1024, 2048), (256, 512))
    """
    found = re.fullmatch(r"[\[(]?\s*(\d+)\s*[xX,]\s*(\d+)\s*[\])]?", text.strip())
    if found is None or min(int(found[1]), int(found[2])) < 1:
        raise DataConfigError(f"a size is HEIGHTxWIDTH in pixels, such as 256x512, not {text!r}")
    return int(found[1]), int(found[2])
