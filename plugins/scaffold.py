"""Writes a new plugin: a complete package that can be installed, has a test and passes the conformance kit."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block, DataSet, Record

New = Literal["block", "data set"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The package that is written for one kind of record.

    Attributes:
        record: The kind of record that it offers.
        what: What it is, in its description.
        files: Each template and the file that it becomes.
    """

    record: type[Record]
    what: str
    files: Mapping[str, str]


LAYOUTS: Mapping[New, Layout] = {
    "block": Layout(
        record=Block,
        what="An attention block",
        files={
            "pyproject.toml.txt": "pyproject.toml",
            "README.md.txt": "README.md",
            "init.py.txt": "$package/__init__.py",
            "block.py.txt": "$package/block.py",
            "test_block.py.txt": "tests/test_block.py",
        },
    ),
    "data set": Layout(
        record=DataSet,
        what="A data set",
        files={
            "pyproject.toml.txt": "pyproject.toml",
            "data_README.md.txt": "README.md",
            "data_init.py.txt": "$package/__init__.py",
            "data_layout.py.txt": "$package/layout.py",
            "data_module.py.txt": "$package/data.py",
            "test_data.py.txt": "tests/test_data.py",
        },
    ),
}


def write_plugin(name: str, out: Path, kind: New = "block") -> Path:
    """Write the package into a new folder inside `out`; returns that folder.

    Args:
        name: Name of the distribution, of its entry point and of its record: small letters, digits and single '-'.
        out: Where the folder is created.
        kind: What the package offers.

    Raises:
        PluginConfigError: The name is not accepted, or the folder exists or cannot be created.
    """
    layout = LAYOUTS[kind]
    _check_name(name, layout.record)
    folder = out / name
    words = {"name": name, "package": name.replace("-", "_"), "title": name.title().replace("-", "")}
    words["what"] = layout.what
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise PluginConfigError(f"{folder} exists; choose another name, or --out another folder") from None
    except OSError as error:
        raise PluginConfigError(f"cannot create {folder}: {error.strerror}") from error
    for template, place in layout.files.items():
        file = folder / Template(place).substitute(words)
        file.parent.mkdir(exist_ok=True)
        source = (files("foveate.plugins") / "templates" / template).read_text(encoding="utf-8")
        file.write_text(Template(source).substitute(words), encoding="utf-8")
    return folder


def _check_name(name: str, record: type[Record]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise PluginConfigError(
            f"a plugin's name is small letters, digits and single '-', such as my-attention, not {name!r}"
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or importlib.util.find_spec(package) is not None:
        raise PluginConfigError(f"{package!r} is a module already, or a keyword of Python; choose another name")
    if name in {offer.record.name for offer in installed_plugins().of_kind(record)}:
        raise PluginConfigError(f"a {record.noun} named {name!r} is installed already; choose another name")
