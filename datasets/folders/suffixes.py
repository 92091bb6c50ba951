"""Suffixes that all names of a kind end with, such as _mask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from foveate.datasets.folders.places import Place

SAMPLE = 2000  # names that are looked at
AT_SEPARATOR = re.compile(r"[-_. ]+[^-_. ]")


def common_suffixes(places: Sequence[Place]) -> list[str]:
    """The suffixes that all names of some places end with, shortest first; each begins with a separator.

    Args:
        places: Where the names are.

    Example:
        >>> common_suffixes([Place("", ["a_1_mask.png", "b_1_mask.png"], None, None, "", "")])
        ['_mask', '_1_mask']
    """
    stems = [stem for stem, _ in islice(_files(places), SAMPLE)]
    if len(stems) < 2:
        return []
    ending = _common_ending([stem.casefold() for stem in stems])
    starts = [found.start() for found in AT_SEPARATOR.finditer(ending)]
    return [ending[start:] for start in reversed(starts)]


def _files(places: Sequence[Place]) -> Iterable[tuple[str, str]]:
    for place in places:
        yield from place.files()


def mask_suffixes(places: Sequence[Place]) -> list[str]:
    """Suffixes that tell masks from images in one folder: with each of them cut off, names are those of other files.

    Args:
        places: Where images and masks lie together.
    """
    stems = {stem.casefold() for stem, _ in islice(_files(places), SAMPLE)}
    counts: dict[str, int] = {}
    for stem in stems:
        for found in AT_SEPARATOR.finditer(stem):
            if stem[: found.start()] in stems:
                suffix = stem[found.start() :]
                counts[suffix] = counts.get(suffix, 0) + 1
    return sorted(counts, key=lambda suffix: -counts[suffix])[:4]


def _common_ending(stems: Sequence[str]) -> str:
    shortest = min(stems, key=len)
    starts = range(len(shortest) + 1)
    return next(shortest[start:] for start in starts if all(stem.endswith(shortest[start:]) for stem in stems))
