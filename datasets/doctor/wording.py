"""How findings say how many, and where."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Place, Side


def such_as(facts: Facts, places: Sequence[Place], side: Side = "image") -> str:
    """The first of some files, as a part of a sentence.

    Args:
        facts: What was read.
        places: Pairs, at least one.
        side: Image or mask.
    """
    path = facts.path(places[0], side)
    return path if len(places) == 1 else f"such as {path}"


def several(count: int, one: str, many: str) -> str:
    """A number with its noun.

    Args:
        count: How many.
        one: The noun of one.
        many: The noun of several.

    Example:
        >>> several(1, "mask", "masks"), several(2, "mask", "masks")
        ('1 mask', '2 masks')
    """
    return f"{count} {one if count == 1 else many}"


def masks(count: int) -> str:
    """So many masks."""
    return several(count, "mask", "masks")


def images(count: int) -> str:
    """So many images."""
    return several(count, "image", "images")


def percent(share: float) -> str:
    """A share as a percentage.

    Example:
        >>> percent(0.5), percent(0.00042)
        ('50 %', '0.042 %')
    """
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def printable(text: str) -> str:
    """A text in which control characters, and bytes of names that are no text, are escapes.

    Args:
        text: One line.

    Example:
        >>> print(printable("a" + chr(10) + "b" + chr(0xDCFF)))
        a\\nb\\udcff
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
