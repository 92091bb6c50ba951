"""Writes a new plugin: a complete package that can be installed, has a test and passes the conformance kit."""

from __future__ import annotations

import importlib.util
import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block

# Each template and the file that it becomes.
LAYOUT = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "init.py.txt": "$package/__init__.py",
    "block.py.txt": "$package/block.py",
    "test_block.py.txt": "tests/test_block.py",
}


def write_plugin(name: str, out: Path) -> Path:
    """Write the package into a new folder inside `out`; returns that folder.

    Args:
        name: Name of the distribution, of its entry point and of its block: small letters, digits and single '-'.
        out: Where the folder is created.

    Raises:
        PluginConfigError: The name is not accepted, or the folder exists or cannot be created.
    """
    _check_name(name)
    folder = out / name
    words = {"name": name, "package": name.replace("-", "_"), "title": name.title().replace("-", "")}
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise PluginConfigError(f"{folder} exists; choose another name, or --out another folder") from None
    except OSError as error:
        raise PluginConfigError(f"cannot create {folder}: {error.strerror}") from error
    for template, place in LAYOUT.items():
        file = folder / Template(place).substitute(words)
        file.parent.mkdir(exist_ok=True)
        source = (files("foveate.plugins") / "templates" / template).read_text(encoding="utf-8")
        file.write_text(Template(source).substitute(words), encoding="utf-8")
    return folder


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise PluginConfigError(
            f"a plugin's name is small letters, digits and single '-', such as my-attention, not {name!r}"
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or importlib.util.find_spec(package) is not None:
        raise PluginConfigError(f"{package!r} is a module already, or a keyword of Python; choose another name")
    if name in {offer.record.name for offer in installed_plugins().of_kind(Block)}:
        raise PluginConfigError(f"a block named {name!r} is installed already; choose another name")
