"""Merges, renames and ignores the classes of a data set, as a label map in YAML says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.datasets.labels import IGNORE, LabelSet, Levels, Table
from foveate.datasets.text import near, near_path

KEYS = ("classes", "ignore", "rest")
KEEP, IGNORED = "keep", "ignore"
EXAMPLE = "classes: {vehicle: [car, truck]}, ignore: [sky], rest: keep"
Content = dict[str, Any] | str  # of the option: what a label map holds, or the path of a file


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """Which classes become which.

    Attributes:
        classes: New class -> classes of the data set.
        ignore: Classes whose pixels neither train nor score.
        rest: What becomes of the other classes: `keep`, `ignore`, or the name of a new class that they join.
    """

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    rest: str = KEEP


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """The result of a label map.

    Attributes:
        labels: The new classes; those of the map come first, in its order, then those that are kept.
        table: Old train id -> new train id (uint8, 256 entries), 255 where ignored.
    """

    labels: LabelSet
    table: Table


def read_label_map(given: Content) -> dict[str, Any]:
    """What a label map holds.

    Args:
        given: That itself, or the path of a YAML or JSON file.

    Raises:
        DataError: The file is missing or cannot be read.
        DataConfigError: It holds no mapping.
    """
    if not isinstance(given, str):
        return dict(given)
    path = Path(given).expanduser()
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{given}: no such file (--data.label_map){near_path(given)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{given}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DataConfigError(f"{given}: a label map is a mapping, such as {EXAMPLE}")
    return content


def parse_label_map(content: Mapping[str, Any]) -> LabelMap:
    """A label map, checked as far as that needs no data set.

    Args:
        content: A mapping with `classes`, `ignore` and `rest`, each of which may be missing.

    Raises:
        DataConfigError: A key is unknown, a value is of a wrong type, or a class stands in two places.

    Example:
        >>> parse_label_map({"classes": {"vehicle": ["car", "bus"]}, "rest": "ignore"}).classes
        {'vehicle': ('car', 'bus')}
    """
    for key in content:
        if key not in KEYS:
            raise DataConfigError(f"label_map has no key {key!r}{near(str(key), KEYS)} (such as {EXAMPLE})")
    classes = content.get("classes") or {}
    if not isinstance(classes, Mapping):
        raise DataConfigError(f"label_map: classes is a mapping of new names to lists of classes, not {classes!r}")
    new = {str(name): _names(members, str(name)) for name, members in classes.items()}
    found = LabelMap(classes=new, ignore=_names(content.get("ignore"), "ignore"), rest=str(content.get("rest", KEEP)))
    _refuse_twice([*found.ignore, *(member for members in new.values() for member in members)])
    if found.rest not in (KEEP, IGNORED, *new):
        raise DataConfigError(
            f"label_map: rest is keep, ignore, or a name under classes ({', '.join(new) or 'none'}), not {found.rest!r}"
        )
    return found


def _names(given: object, where: str) -> tuple[str, ...]:
    """Names of classes: one, a list, or none."""
    names = [given] if isinstance(given, str | int) else [] if given is None else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str | int) for name in names):
        raise DataConfigError(f"label_map: {where} is a list of classes, such as [car, truck], not {given!r}")
    return tuple(map(str, names))


def _refuse_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataConfigError(f"label_map: {name!r} stands in two places; a class becomes one thing only")


def apply_label_map(labels: LabelSet, label_map: LabelMap) -> Mapped:
    """The classes of a data set after a label map.

    A new class has the id and the colour of its first member.

    Args:
        labels: The classes of the data set.
        label_map: What becomes of them.

    Raises:
        DataConfigError: It names a class that the data set does not have, nothing is left, a new class is empty, or two
            have one name.

    Example:
        >>> from foveate.datasets.labels import CAMVID
        >>> label_map = LabelMap(classes={"people": ("pedestrian", "bicyclist")}, ignore=("sky",))
        >>> mapped = apply_label_map(CAMVID, label_map)
        >>> mapped.labels.names[:3], mapped.table[[0, 1, 9, 10, 255]].tolist()
        (('people', 'building', 'pole'), [255, 1, 0, 0, 255])
    """
    groups = _grouped(labels, label_map)
    table = np.full(256, IGNORE, dtype=np.uint8)
    for number, members in enumerate(groups.values()):
        table[members] = number
    first = [members[0] for members in groups.values()]
    ignored = [labels.ids[old] for old in range(len(labels)) if table[old] == IGNORE]
    new = LabelSet(
        name=labels.name,
        names=tuple(groups),
        colours=tuple(labels.colours[old] for old in first),
        ids=tuple(labels.ids[old] for old in first),
        void_ids=tuple(sorted({*labels.void_ids, *ignored})),
        levels=_mapped_levels(labels, groups),
    )
    return Mapped(labels=new, table=table)


def _grouped(labels: LabelSet, label_map: LabelMap) -> dict[str, list[int]]:
    """New class -> old train ids, in the order of the new classes."""
    named = [*label_map.ignore, *(member for members in label_map.classes.values() for member in members)]
    for name in named:
        if name not in labels.names:
            raise DataConfigError(
                f"label_map: {labels.name} has no class {name!r}{near(name, labels.names)} (classes: "
                f"{', '.join(labels.names)})"
            )
    groups = {name: [labels.names.index(member) for member in members] for name, members in label_map.classes.items()}
    rest = [number for number, name in enumerate(labels.names) if name not in named]
    if label_map.rest == KEEP:
        for number in rest:
            if labels.names[number] in groups:
                raise DataConfigError(
                    f"label_map: the new class {labels.names[number]!r} has the name of a class that is kept; list "
                    "that class in it, or under ignore"
                )
        groups |= {labels.names[number]: [number] for number in rest}
    elif label_map.rest != IGNORED:
        groups[label_map.rest] += rest
    if empty := [name for name, members in groups.items() if not members]:
        raise DataConfigError(f"label_map: {empty[0]!r} has no classes")
    if not groups:
        raise DataConfigError("label_map: no class is left; every one is ignored")
    return groups


def _mapped_levels(labels: LabelSet, groups: Mapping[str, list[int]]) -> Levels:
    """The levels of scores in the new classes' names; a level whose groups a new class mixes is dropped."""
    levels: dict[str, dict[str, tuple[str, ...]]] = {}
    for level, old in labels.levels.items():
        group_of = {member: group for group, members in old.items() for member in members}
        places = {new: {group_of.get(labels.names[n], "") for n in members} for new, members in groups.items()}
        if all(len(found) == 1 for found in places.values()):
            members = {group: tuple(new for new, found in places.items() if found == {group}) for group in old}
            levels[level] = {group: names for group, names in members.items() if names}
    return levels
