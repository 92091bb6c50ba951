"""Short forms of what messages show, and sizes as people write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from foveate.datasets.errors import DataConfigError

SHOWN = 5
Size = tuple[int, int] | str  # an option: height and width in pixels, as [256, 512] or 256x512
Side = int | str  # an option: the side of a square in pixels, as 224 or 224x224


def few(names: Iterable[str], shown: int = SHOWN, separator: str = ", ") -> str:
    """The first few of a list, and how many more there are.

    Example:
        >>> few(["a", "b", "c"], shown=2)
        'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most like a wrong one, whatever its capitals; empty if none is.

    Example:
        >>> near("Vehicel", ["vehicle", "person"])
        '; did you mean vehicle?'
    """
    lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[found[0]]}?" if found else ""


def to_size(value: Size, name: str) -> tuple[int, int]:
    """Height and width of an option that holds a size.

    Args:
        value: What a recipe or the command line gives.
        name: The option, for the message.

    Raises:
        DataConfigError: It is not a size.

    Example:
        >>> to_size("256x320", "crop"), to_size((256, 320), "crop")
        ((256, 320), (256, 320))
    """
    if isinstance(value, str):
        try:
            return parse_size(value)
        except DataConfigError as error:
            raise DataConfigError(f"{name}: {error}") from None
    if len(value) != 2 or min(value) < 1:
        raise DataConfigError(f"{name} is a height and a width in pixels, such as [256, 512] or 256x512, not {value}")
    return value[0], value[1]


def to_side(value: Side, name: str) -> int:
    """Side of the square that an option asks for.

    Args:
        value: What a recipe or the command line gives.
        name: The option, for the message.

    Raises:
        DataConfigError: It is not a whole number from 1, or height and width differ.

    Example:
        >>> to_side(224, "image_size"), to_side("224x224", "image_size")
        (224, 224)
    """
    if isinstance(value, str):
        height, width = to_size(value, name) if not value.strip().isdigit() else (int(value), int(value))
        if height != width:
            raise DataConfigError(f"{name} is the side of a square, such as {height} or {height}x{height}, not {value}")
        value = height
    if value < 1:
        raise DataConfigError(f"{name} is at least 1, not {value}")
    return value


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
