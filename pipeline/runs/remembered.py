"""Modules given with --plugins: how a run records them, and when they are imported again without the option.

A recipe or checkpoint may come from anyone, so its content alone must never cause code to run. A module is imported
again only if the user gave the same module with --plugins before: such modules and their files are listed in the user's
own state folder (XDG_STATE_HOME, `~/.local/state/foveate/plugins.txt`). A run names the modules it was trained with in
the recipe.yaml beside its checkpoints. A module is imported if both name it, and the console says so. A bare checkpoint
and a recipe given with --config import nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.data_sets import offered_data_sets
from foveate.pipeline.runs.directories import global_rank
from foveate.pipeline.runs.recipes import PLUGINS
from foveate.plugins.sources import locate, locate_all

Remembered = list[dict[str, str]]  # for each module its name and its file


def module_of(given: str) -> str:
    """The module name for a value of --plugins, such as `my_data` for `code/my_data.py`."""
    return locate(given).module


def trusted_modules(given: Sequence[str]) -> list[str]:
    """Modules whose classes a recipe may name: those of --plugins, and those of installed data sets.

    Args:
        given: The values of --plugins.
    """
    installed = (offer.record.class_path.rpartition(".")[0] for offer in offered_data_sets())
    return [*(module_of(module) for module in given), *dict.fromkeys(installed)]


def remember(given: Sequence[str]) -> Remembered:
    """The modules' entry in a run's recipe; from now on their files may be imported without --plugins.

    Args:
        given: The values of --plugins, which were imported.
    """
    kept: Remembered = []
    for source in locate_all(given):
        file = source.file or getattr(sys.modules.get(source.module), "__file__", None)
        if file:
            kept.append({"module": source.module, "file": str(Path(file).resolve())})
    known = _known()
    fresh = [line for line in map(_line, kept) if line not in known]
    if fresh:
        with suppress(OSError):  # the state folder is not writable: --plugins has to be given again
            write_text(_list(), "".join(f"{line}\n" for line in (*known, *fresh)))
    return kept


def recall(recipe: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """The files of the modules that a run records, if they are still the ones that the user gave.

    Args:
        recipe: The run's recipe, from the file beside its checkpoints.
        given: The values of --plugins of this command.

    Raises:
        ConfigError: A module is not where it was, or the user never gave it on this machine.
    """
    files = []
    names = [source.module for source in locate_all(given)]
    for entry in recipe.get(PLUGINS) or []:
        if not isinstance(entry, Mapping) or not {"module", "file"} <= entry.keys():
            continue
        name, file = str(entry["module"]), Path(str(entry["file"]))
        if name in names:
            continue
        if not file.is_file():
            raise ConfigError(f"the run uses the module {name!r} of {file}, which is gone; add --plugins FILE")
        if _line(entry) not in _known():
            raise ConfigError(
                f"the run uses the module {name!r} of {file}, which was never given on this machine and is code of its "
                f"author; if you trust it, add --plugins {file}"
            )
        if global_rank() == 0:
            print(f"importing {name} of {file}, as in the training", file=sys.stderr, flush=True)
        files.append(str(file))
    return files


def _line(entry: Mapping[str, str]) -> str:
    return f"{entry['module']}\t{entry['file']}"


def _list() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "foveate" / "plugins.txt"


def _known() -> list[str]:
    try:
        return _list().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
