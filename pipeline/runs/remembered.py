"""Modules given with --plugins, remembered with a run, and when they are imported again without being given.

A recipe or checkpoint may come from anybody, so nothing in it can be a reason to run code. The reason is that the user
gave this very module with --plugins before: such modules and their files are kept in a list in the user's own state
folder (XDG_STATE_HOME, `~/.local/state/foveate/plugins.txt`). A run names the modules it was trained with in the
recipe.yaml beside its checkpoints. A module is imported if both name it, and the console says so. A bare checkpoint and
a recipe given with --config import nothing.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.directories import global_rank
from foveate.pipeline.runs.recipes import PLUGINS

Remembered = list[dict[str, str]]  # of each module its name and its file


def module_of(given: str) -> str:
    """The name by which a plugin's classes are called.

    Example:
        >>> module_of("my_data"), module_of("code/my_data.py"), module_of("package.data")
        ('my_data', 'my_data', 'package.data')
    """
    return Path(given).stem if given.endswith(".py") or "/" in given or os.sep in given else given


def remember(given: Sequence[str]) -> Remembered:
    """What a run keeps of the modules it uses; their files are from now on imported again without being given.

    Args:
        given: The values of --plugins, which were imported.
    """
    kept: Remembered = []
    for name in map(module_of, given):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            kept.append({"module": name, "file": str(Path(file).resolve())})
    known = _known()
    fresh = [line for line in map(_line, kept) if line not in known]
    if fresh:
        with suppress(OSError):  # a home that cannot be written: --plugins is asked for again
            write_text(_list(), "".join(f"{line}\n" for line in (*known, *fresh)))
    return kept


def recall(recipe: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """Import the modules that a run remembers, where they are still what the user once gave.

    Args:
        recipe: The run's, of the file beside its checkpoints.
        given: The values of --plugins of this command, which are imported already.

    Returns:
        The modules that were imported.

    Raises:
        ConfigError: A module is not where it was, or the user never gave it on this machine.
    """
    imported = []
    for entry in recipe.get(PLUGINS) or []:
        if not isinstance(entry, Mapping) or not {"module", "file"} <= entry.keys():
            continue
        name, file = str(entry["module"]), Path(str(entry["file"]))
        if name in map(module_of, given):
            continue
        if not file.is_file():
            raise ConfigError(f"the run uses the module {name!r} of {file}, which is gone; add --plugins FILE")
        if _line(entry) not in _known():
            raise ConfigError(
                f"the run uses the module {name!r} of {file}, which was never given on this machine and is code of its "
                f"author; if you trust it, add --plugins {file}"
            )
        _import(name, file)
        if global_rank() == 0:
            print(f"imported {name} of {file}, as in the training", file=sys.stderr, flush=True)
        imported.append(name)
    return imported


def _import(name: str, file: Path) -> None:
    """Import a module from its file, unless it is there; one of a package by its name."""
    if name in sys.modules or "." in name or file.name == "__init__.py":
        return  # a package is found by its name
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: no Python module")
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # for what lies beside it
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _line(entry: Mapping[str, str]) -> str:
    return f"{entry['module']}\t{entry['file']}"


def _list() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "foveate" / "plugins.txt"


def _known() -> list[str]:
    try:
        return _list().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
