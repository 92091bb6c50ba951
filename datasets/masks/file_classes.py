"""Proposes classes where masks are several files: from the names of files and folders."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.datasets.class_table import ClassTable, MaskClass
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import INVALID
from foveate.datasets.masks.class_files import ANY, NUMBER
from foveate.datasets.masks.proposing import NAME_THEM, Proposal
from foveate.datasets.palette import distinct_colours
from foveate.datasets.text import few

REPEATED = 2  # a class's name occurs with more than one image


def classes_of_files(name: str, pairs: Sequence[Pair]) -> Proposal:
    """Classes of masks with one file for each class or object. What no file covers is background.

    Names that occur with several images are classes. If none does, every file is one object of the same class.

    Args:
        name: Name of the data set.
        pairs: Pairs of the data set.
    """
    names = _names(pairs)
    if not names or len(names) >= INVALID - 1:
        files, classes = {"object": (ANY,)}, ["object"]
        line = f"masks are one file for each object ({few(_examples(pairs), 2)}): taken as background and object"
    else:
        files, classes = {}, names
        line = f"masks are one file for each class: background, {few(names, 12)}"
    colours = distinct_colours(len(classes) + 1)
    table = ClassTable(
        name=name,
        classes=tuple(
            MaskClass(name=one, values=(number,), colours=(colours[number],), files=files.get(one, ()))
            for number, one in enumerate(["background", *classes])
        ),
        masks="files",
        rest="background",
    )
    rules = "what no file covers is background, and where two overlap the last wins"
    return Proposal(table, [f"{line}; {rules}; {NAME_THEM}"])


def _names(pairs: Sequence[Pair]) -> list[str]:
    """Names of files, or else of their folders, that occur with several images, sorted."""
    for of_folder in (False, True):
        counts: dict[str, int] = {}
        for pair in pairs:
            for name in {(part.parent.name if of_folder else NUMBER.sub("", part.stem)).lower() for part in pair.parts}:
                counts[name] = counts.get(name, 0) + 1
        repeated = sorted(name for name, count in counts.items() if count >= REPEATED and name)
        if repeated and len(repeated) == len(counts):
            return repeated
    return []


def _examples(pairs: Sequence[Pair]) -> list[str]:
    return [part.name for pair in pairs[:1] for part in pair.parts]
