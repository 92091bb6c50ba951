"""Records of several runs with the same images in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord, Record
from foveate.pipeline.text import few


def pair_records(records: Mapping[str, Record], *, leave_out: bool = False) -> tuple[dict[str, Record], list[str]]:
    """The images that all runs have, in the order of the first one.

    Args:
        records: Of each run, by its name.
        leave_out: Whether images that some runs lack are left out, which is an error otherwise.

    Returns:
        The records, and the images that were left out.

    Raises:
        ConfigError: The runs have different classes, or are of different tasks.
        UnusableDataError: Images differ, or their labels do.
    """
    check_classes(records)
    places = {name: _numbered(record.images) for name, record in records.items()}
    common = set.intersection(*(set(found) for found in places.values()))
    every = list(dict.fromkeys(key for found in places.values() for key in found))
    missing = [key for key in every if key not in common]
    if not common:
        firsts = "; ".join(f"{name}: {record.images[0]}" for name, record in records.items() if len(record))
        raise UnusableDataError(f"the runs have no image in common ({firsts}); compare runs on the same data")
    if missing and not leave_out:
        raise UnusableDataError(
            f"{len(missing)} of {len(every)} images are not in all runs: {_which(missing, places)}; "
            "--leave_out true compares the others"
        )
    first = next(iter(places.values()))
    order = [key for key in first if key in common]
    chosen = {name: record.select([places[name][key] for key in order]) for name, record in records.items()}
    paired = _with_common_classes(chosen)
    _check_labels(paired)
    return _with_groups(paired), [_shown(key) for key in missing]


Key = tuple[str, int]  # of an image: path, and which of the lines with this path


def _numbered(images: Sequence[str]) -> dict[Key, int]:
    """The place of each image; a path that occurs twice counts twice, in order."""
    seen: Counter[str] = Counter()
    places = {}
    for place, image in enumerate(images):
        places[image, seen[image]] = place
        seen[image] += 1
    return places


def _which(missing: Sequence[Key], places: Mapping[str, Mapping[Key, int]]) -> str:
    return few((f"{_shown(key)} (not in {few(n for n in places if key not in places[n])})" for key in missing), 3)


def _shown(key: Key) -> str:
    return key[0] if key[1] == 0 else f"{key[0]} ({key[1] + 1})"


def check_classes(records: Mapping[str, Record]) -> None:
    """Refuse runs whose figures are not of the same classes.

    Args:
        records: Of each run, by its name.

    Raises:
        ConfigError: They are not.
    """
    (base, first), *others = records.items()
    for name, record in others:
        if type(record) is not type(first):
            kinds = {PixelRecord: "label maps", LabelRecord: "classes of whole images"}
            raise ConfigError(f"{base} predicts {kinds[type(first)]}, {name} {kinds[type(record)]}: nothing to compare")
        if isinstance(first, PixelRecord) and tuple(record.names) != tuple(first.names):
            only = sorted(set(record.names) ^ set(first.names))
            what = f"{few(only)} in one of them only" if only else "the same ones in another order"
            raise ConfigError(
                f"{base} has {len(first.names)} classes and {name} {len(record.names)}, {what}; compare runs with the "
                "same classes (a label map makes them so: --data.label_map)"
            )


def _with_common_classes(records: Mapping[str, Record]) -> dict[str, Any]:
    """Records of labels with one numbering of the classes; a record's file names only those that occur."""
    if not all(isinstance(record, LabelRecord) for record in records.values()):
        return dict(records)
    named = [record.names for record in records.values()]
    names = (
        named[0] if all(tuple(one) == tuple(named[0]) for one in named) else sorted({n for one in named for n in one})
    )
    number = {name: place for place, name in enumerate(names)}
    return {key: _renumbered(record, number) for key, record in records.items() if isinstance(record, LabelRecord)}


def _renumbered(record: LabelRecord, number: Mapping[str, int]) -> LabelRecord:
    table = np.array([number[name] for name in record.names], dtype=np.int32)
    return replace(record, names=tuple(number), label=table[record.label], predicted=table[record.predicted])


def _check_labels(records: Mapping[str, Any]) -> None:
    (base, first), *others = records.items()
    for name, record in others:
        same = _labels(record) == _labels(first)
        wrong = np.flatnonzero(~(same.all(1) if same.ndim > 1 else same))
        if len(wrong):
            raise UnusableDataError(
                f"the labels of {len(wrong)} images are not the same in {base} and {name}: "
                f"{few((first.images[place] for place in wrong.tolist()), 3)}; compare runs on the same labels"
            )


def _labels(record: Any) -> Any:
    return record.parts()[1][:, : len(record.names)] if isinstance(record, PixelRecord) else record.label


def _with_groups(records: dict[str, Any]) -> dict[str, Record]:
    """The groups of the first record that has some, for all of them."""
    groups = next((record.groups for record in records.values() if record.groups), ())
    return {name: replace(record, groups=groups) for name, record in records.items()}
