"""`classes.yaml`: reads and writes the classes of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from foveate.datasets.class_table import RGB, ClassTable, Holds, MaskClass, Overlap
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.datasets.files.writing import write_whole
from foveate.datasets.labels import IGNORE, LARGEST_ID
from foveate.datasets.palette import distinct_colours
from foveate.datasets.text import near_path

FILE_NAME = "classes.yaml"
KEYS = ("name", "masks", "classes", "ignore", "rest", "overlap")
CLASS_KEYS = ("name", "value", "values", "colour", "colours", "color", "colors", "files", "file")
HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def read_class_table(path: Path) -> ClassTable:
    """The classes in a file.

    Args:
        path: A YAML or JSON file.

    Raises:
        DataError: It is missing or not readable.
        DataConfigError: It is no list of classes; see `parse_class_table`.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file (--data.classes){near_path(path)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    try:
        return parse_class_table(content, path.resolve().parent.name)
    except DataConfigError as error:
        raise DataConfigError(f"{path}: {error}") from None


def parse_class_table(content: object, name: str) -> ClassTable:
    """The classes in the content of a `classes.yaml`.

    Args:
        content: A mapping with `classes`, and if needed `name`, `masks`, `ignore`, `rest` and `overlap`; or only the
            list of classes. A class is its name, or a mapping with `name`, `value` or `values` (its position in the
            list if not given), `colour` or `colours`, and `file` or `files`.
        name: Name of the data set if the content gives none.

    Raises:
        DataConfigError: It is something else, or holds an unknown key or a wrong value.

    Example:
        >>> table = parse_class_table({"classes": ["sky", {"name": "road", "values": [7, 8]}]}, "mine")
        >>> table.label_set().ids
        (0, 7)
    """
    if isinstance(content, list):
        content = {"classes": content}
    if not isinstance(content, Mapping) or not isinstance(content.get("classes"), list):
        raise DataConfigError("expected a mapping with `classes`, a list such as [road, {name: car, value: 2}]")
    _refuse_unknown(content, KEYS, "the file")
    masks = _one_of("masks", content.get("masks", "values"), get_args(Holds))
    listed = content["classes"]
    generated = distinct_colours(len(listed))
    classes = tuple(_parse_class(one, number, masks, generated[number]) for number, one in enumerate(listed))
    values, colours = _parse_ignored(content.get("ignore"), masks, {v for one in classes for v in one.values})
    return ClassTable(
        name=str(content.get("name") or name),
        classes=classes,
        masks=masks,
        ignore_values=values,
        ignore_colours=colours,
        rest=str(content.get("rest", "ignore")),
        overlap=_one_of("overlap", content.get("overlap", "last"), get_args(Overlap)),
    )


def _refuse_unknown(mapping: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    if unknown := [key for key in mapping if key not in known]:
        raise DataConfigError(f"{where} has no key {unknown[0]!r} (accepted: {', '.join(known)})")


def _one_of(key: str, value: object, accepted: Sequence[str]) -> Any:
    if value not in accepted:
        raise DataConfigError(f"{key} is one of {', '.join(accepted)}, not {value!r}")
    return value


def _parse_class(given: object, number: int, masks: Holds, colour: RGB) -> MaskClass:
    described = given if isinstance(given, Mapping) else {"name": given}
    if not isinstance(described.get("name"), str | int) or isinstance(described.get("name"), bool):
        raise DataConfigError(f"class {number} needs a name, such as {{name: road, value: 7}}, not {given!r}")
    name = str(described["name"])
    _refuse_unknown(described, CLASS_KEYS, f"class {name!r}")
    values = tuple(parse_value(value, name) for value in _several(described, "value", "values"))
    colours = tuple(parse_colour(c, name) for c in _colours(described))
    if masks == "colours" and not colours:
        raise DataConfigError(
            f"class {name!r} needs a colour, such as colour: [128, 64, 128], since masks hold colours"
        )
    files = tuple(map(str, _several(described, "file", "files")))
    return MaskClass(name=name, values=values or (number,), colours=colours or (colour,), files=files)


def _several(described: Mapping[str, Any], one: str, several: str) -> list[Any]:
    """What a class gives under the singular or the plural of a key, as a list."""
    found = described.get(several, described.get(one))
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _colours(described: Mapping[str, Any]) -> list[Any]:
    found = next((described[key] for key in ("colours", "colors", "colour", "color") if key in described), None)
    if found is None:
        return []
    single = isinstance(found, str) or (isinstance(found, list | tuple) and all(isinstance(n, int) for n in found))
    return [found] if single else list(found)


def parse_value(value: object, where: str) -> int:
    """A number in a mask.

    Args:
        value: What the file gives.
        where: The class, for the message.

    Raises:
        DataConfigError: It is no whole number from 0 to 65535.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_ID:
        raise DataConfigError(f"{where}: a value in masks is a whole number, 0 to {LARGEST_ID}, not {value!r}")
    return value


def parse_colour(value: object, where: str) -> RGB:
    """An RGB colour, from `[128, 64, 128]` or `"#804080"`.

    Args:
        value: What the file gives.
        where: The class, for the message.

    Raises:
        DataConfigError: It is none.
    """
    found = HEX.fullmatch(value) if isinstance(value, str) else None
    numbers = [int(part, 16) for part in found.groups()] if found else value
    if not isinstance(numbers, list | tuple) or len(numbers) != 3 or not all(_is_byte(n) for n in numbers):
        raise DataConfigError(f"{where}: a colour is [red, green, blue], 0 to 255 each, or '#804080', not {value!r}")
    red, green, blue = numbers
    return red, green, blue


def _is_byte(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 255


def _parse_ignored(given: object, masks: Holds, taken: set[int]) -> tuple[tuple[int, ...], tuple[RGB, ...]]:
    """Values and colours under `ignore`; 255 if the key is missing and no class has it."""
    if given is None:
        return ((IGNORE,) if IGNORE not in taken else ()), ()
    single = isinstance(given, int | str) or (masks == "colours" and _is_colour(given))
    items: Iterable[Any] = [given] if single else given  # type: ignore[assignment]
    if not isinstance(items, list | tuple):
        raise DataConfigError(f"ignore is a list of {'colours' if masks == 'colours' else 'values'}, not {given!r}")
    values = tuple(parse_value(item, "ignore") for item in items if isinstance(item, int))
    return values, tuple(parse_colour(item, "ignore") for item in items if not isinstance(item, int))


def _is_colour(given: object) -> bool:
    return isinstance(given, list | tuple) and len(given) == 3 and all(map(_is_byte, given))


def as_mapping(table: ClassTable) -> dict[str, Any]:
    """The content of a `classes.yaml`, which `parse_class_table` reads as the same table."""
    with_files = table.masks == "files"
    ignored = [*table.ignore_values, *map(list, table.ignore_colours)]
    content: dict[str, Any] = {"name": table.name, "masks": table.masks}
    content["classes"] = [_class_mapping(one) for one in table.classes]
    content["ignore"] = ignored
    return content | ({"rest": table.rest, "overlap": table.overlap} if with_files else {})


def _class_mapping(one: MaskClass) -> dict[str, Any]:
    described: dict[str, Any] = {"name": one.name}
    described |= {"value": one.values[0]} if len(one.values) == 1 else {"values": list(one.values)}
    single = len(one.colours) == 1
    described |= {"colour": list(one.colours[0])} if single else {"colours": [list(c) for c in one.colours]}
    return described | ({"files": list(one.files)} if one.files else {})


def write_class_table(path: Path, table: ClassTable, heading: str = "") -> None:
    """Write a `classes.yaml` as people edit it: one class a line.

    Args:
        path: The file.
        table: The classes.
        heading: Lines of a comment at its top, without the signs of a comment.
    """
    write_whole(path, (_commented(heading) + dump_class_table(table)).encode())


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


def dump_class_table(table: ClassTable) -> str:
    """The text of a `classes.yaml`.

    Example:
        >>> print(dump_class_table(parse_class_table([{"name": "sky", "colour": [1, 2, 3]}], "mine")), end="")
        name: mine
        masks: values  # what masks hold: values, colours, or files (one for each class)
        classes:  # in the order of their numbers
        - {name: sky, value: 0, colour: [1, 2, 3]}
        ignore: [255]  # neither trains nor scores
    """
    content = as_mapping(table)
    lines = [f"name: {_flow(content['name'])}"]
    lines.append(f"masks: {table.masks}  # what masks hold: values, colours, or files (one for each class)")
    lines.append("classes:  # in the order of their numbers")
    lines += [f"- {_flow(one)}" for one in content["classes"]]
    lines.append(f"ignore: {_flow(content['ignore'])}  # neither trains nor scores")
    if table.masks == "files":
        lines.append(f"rest: {_flow(table.rest)}  # the class of pixels that no file covers; ignore leaves them out")
        lines.append(f"overlap: {table.overlap}  # where two files cover a pixel: last, first, ignore, or error")
    return "\n".join(lines) + "\n"


def _flow(value: object) -> str:
    """One value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
