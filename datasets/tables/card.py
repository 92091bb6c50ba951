"""What the card of a data set on the Hugging Face Hub says: its README.md begins with YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from foveate.datasets.errors import DataError
from foveate.datasets.files.strict_yaml import parse_yaml

HEAD = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)
Subsets = Mapping[str, Mapping[str, list[str]]]  # subset -> split -> patterns of files


def read_subsets(root: Path) -> Subsets:
    """The subsets that a card lists with their files (`configs`); empty where it lists none.

    Args:
        root: The data set's folder.

    Raises:
        DataError: The YAML in README.md is damaged.
    """
    listed = _head(root / "README.md").get("configs")
    found: dict[str, dict[str, list[str]]] = {}
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, Mapping) and one.get("data_files"):
            found[str(one.get("config_name", "default"))] = dict(_files(one["data_files"]))
    return found


def class_names(root: Path, column: str, subset: str | None) -> tuple[str, ...]:
    """The names of the classes that a card lists for a column; empty where it lists none.

    Args:
        root: The data set's folder.
        column: The column.
        subset: Which subset, where the card describes several.
    """
    described = _head(root / "README.md").get("dataset_info")
    for info in described if isinstance(described, list) else [described]:
        if isinstance(info, Mapping) and subset in (None, info.get("config_name")):
            for feature in info.get("features") or []:
                if isinstance(feature, Mapping) and feature.get("name") == column:
                    return _names(feature.get("dtype"))
    return ()


def _names(dtype: object) -> tuple[str, ...]:
    """The names in `class_label: {names: {'0': cat, '1': dog}}`."""
    label = dtype.get("class_label") if isinstance(dtype, Mapping) else None
    names = label.get("names") if isinstance(label, Mapping) else None
    if isinstance(names, Mapping):
        return tuple(str(names[key]) for key in sorted(names, key=lambda key: int(str(key))))
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _head(path: Path) -> Mapping[str, Any]:
    """The YAML at the beginning of a README."""
    try:
        found = HEAD.match(path.read_text(encoding="utf-8"))
        content = parse_yaml(found[1]) if found else None
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: its head cannot be read as YAML: {' '.join(str(error).split())}") from error
    return content if isinstance(content, Mapping) else {}


def _files(given: object) -> Iterator[tuple[str, list[str]]]:
    """Split -> patterns, in any of the ways in which a card may write them."""
    if isinstance(given, str):
        yield "train", [given]
    elif isinstance(given, list) and all(isinstance(one, str) for one in given):
        yield "train", list(given)
    else:
        for one in given if isinstance(given, list) else []:
            path = one["path"]
            yield str(one["split"]), [path] if isinstance(path, str) else list(map(str, path))
