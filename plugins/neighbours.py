"""Lets the code in a plugin's folder, and only that code, import modules from the folder.

The folder itself is not added to `sys.path`, since a `datasets.py` or a `wandb/` in it could hide the library of that
name. Instead, `sys.path` gets a special entry at its end that only `FolderFinder` understands.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import FrameType, ModuleType

MARK = "/*.py"  # suffix of an entry: no such folder exists, so only FolderFinder handles it
RESOLVER = f"{__package__}.records"  # the module that imports what a record's `build` names


class FolderEntry(str):
    """An entry of `sys.path` for one folder of plugins.

    Processes that are started (spawned) get a pickled copy of `sys.path`. Unpickling this entry prepares the
    process to import the same modules from the folder, so that a plugin's classes can be unpickled there.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        folder = self.removesuffix(MARK)
        return _reopen, (folder, [name for name, module in list(sys.modules.items()) if _lies_in(module, folder)])


class FolderFinder(FileFinder):
    """Finds modules and packages of one folder, for imports from code in that folder.

    Args:
        folder: The folder.
        names: Modules that any code may import, such as the plugin itself.
    """

    def __init__(self, folder: str, names: Iterable[str] = ()) -> None:
        super().__init__(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES))
        self.names = set(names)

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module; None for a folder without `__init__.py`, or if code outside the folder imports."""
        spec = super().find_spec(fullname, target)
        if spec is None or spec.loader is None:
            return None
        return spec if fullname in self.names or self._is_asked_here(sys._getframe(1)) else None

    def _is_asked_here(self, frame: FrameType) -> bool:
        """Whether the importing code lies in the folder, or is the code that resolves records."""
        asking = _importer(frame)
        if asking is None:
            return False
        return _is_below(asking.f_code.co_filename, self.path) or asking.f_globals.get("__name__") == RESOLVER


def _importer(frame: FrameType | None) -> FrameType | None:
    """The frame of the importing code, above the frames of Python's import system and of hooks such as pytest's."""
    while frame is not None and frame.f_code.co_name != "_find_and_load":
        if frame.f_globals.get("__name__") == "importlib.util":
            return None  # a check whether a module exists, not an import
        frame = frame.f_back
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in (
        "importlib",
        "_frozen_importlib",
    ):
        frame = frame.f_back
    return frame


_finders: dict[str, FolderFinder] = {}


def open_folder(folder: Path, names: Sequence[str] = ()) -> None:
    """Let the code in a folder import modules from it, and let any code import the named modules.

    Args:
        folder: The folder, absolute.
        names: Modules in it that any code may import.
    """
    entry = FolderEntry(f"{folder}{MARK}")
    if _hook not in sys.path_hooks:
        sys.path_hooks.append(_hook)
    _finders.setdefault(str(folder), FolderFinder(str(folder))).names.update(names)
    sys.path_importer_cache.pop(entry, None)  # it may hold a result from before the hook was added
    if entry not in sys.path:
        sys.path.append(entry)


def _reopen(folder: str, names: list[str]) -> str:
    open_folder(Path(folder), names)
    return FolderEntry(f"{folder}{MARK}")


def _hook(entry: str) -> FolderFinder:
    folder = entry.removesuffix(MARK)
    if folder not in _finders or not entry.endswith(MARK):
        raise ImportError(f"not the folder of a plugin: {entry}")
    return _finders[folder]


def _lies_in(module: object, folder: str) -> bool:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return isinstance(file, str) and _is_below(file, folder)


def _is_below(file: str, folder: str) -> bool:
    return Path(folder) in Path(file).parents
