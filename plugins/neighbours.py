"""Imports from the folder of a plugin file, for the code in that folder only.

The folder itself never stands on `sys.path`: a `datasets.py` or a `wandb/` in it must not be taken for the library of
that name. An entry at the end of `sys.path`, which only `FolderFinder` understands, stands in for it.
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

MARK = "/*.py"  # at the end of an entry: no such folder exists, so nothing but FolderFinder takes it
RESOLVER = f"{__package__}.records"  # the module that imports what a record's `build` names


class FolderEntry(str):
    """An entry of `sys.path` for one folder of plugins.

    Processes that are started (spawned) get a pickled copy of `sys.path`. Unpickling this entry sets the process up
    to import what was imported from the folder here, so that classes of a plugin arrive too.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        folder = self.removesuffix(MARK)
        return _reopen, (folder, [name for name, module in list(sys.modules.items()) if _lies_in(module, folder)])


class FolderFinder(FileFinder):
    """Finds modules and packages of one folder, where code of that folder asks for them.

    Args:
        folder: The folder.
        names: Modules that anybody may import, such as the plugin itself.
    """

    def __init__(self, folder: str, names: Iterable[str] = ()) -> None:
        super().__init__(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES))
        self.names = set(names)

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module, unless it is a folder without `__init__.py`, or somebody else asks."""
        spec = super().find_spec(fullname, target)
        if spec is None or spec.loader is None:
            return None
        return spec if fullname in self.names or self._is_asked_here(sys._getframe(1)) else None

    def _is_asked_here(self, frame: FrameType) -> bool:
        """Whether the code that imports lies in the folder, or resolves a record."""
        asking = _importer(frame)
        if asking is None:
            return False
        return _is_below(asking.f_code.co_filename, self.path) or asking.f_globals.get("__name__") == RESOLVER


def _importer(frame: FrameType | None) -> FrameType | None:
    """Who imports; between that and a finder lie Python's own import system and hooks such as pytest's."""
    while frame is not None and frame.f_code.co_name != "_find_and_load":
        if frame.f_globals.get("__name__") == "importlib.util":
            return None  # somebody asks whether a module is there
        frame = frame.f_back
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in (
        "importlib",
        "_frozen_importlib",
    ):
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


_finders: dict[str, FolderFinder] = {}


def open_folder(folder: Path, names: Sequence[str] = ()) -> None:
    """Let the code in a folder import its neighbours, and let anybody import the named modules.

    Args:
        folder: The folder, absolute.
        names: Modules in it that anybody may import.
    """
    entry = FolderEntry(f"{folder}{MARK}")
    if _hook not in sys.path_hooks:
        sys.path_hooks.append(_hook)
    _finders.setdefault(str(folder), FolderFinder(str(folder))).names.update(names)
    sys.path_importer_cache.pop(entry, None)  # it may say that nobody understands the entry
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
