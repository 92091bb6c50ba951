"""Finds and imports the modules given by `--plugins`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from foveate.plugins.errors import PluginConfigError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.neighbours import MARK, open_folder

INIT = "__init__.py"


@dataclass(frozen=True)
class Source:
    """A plugin named by hand, and its location.

    Attributes:
        reference: The reference as given.
        module: The name it is imported under.
        file: Its file; None for a module that is installed.
    """

    reference: str
    module: str
    file: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The folder that the module's name is relative to: that of the file, or the parent of its package."""
        return None if self.file is None else _root_of(self.file)


def locate(reference: str) -> Source:
    """Find the module that a reference names, without importing it.

    Args:
        reference: A module (`my_blocks`, `my_package.blocks`), a file (`my_blocks.py`, `./my_blocks.py`,
            `~/plugins/my_blocks.py`, an absolute path), or a package: a folder with an `__init__.py`. A module is
            looked for in the current folder first.

    Raises:
        PluginConfigError: Nothing is found, or the name is no valid module name; the message suggests the closest
            name that exists.

    Example:
        >>> locate("json").module
        'json'
    """
    if _is_path(reference):
        return _locate_path(reference)
    file = _below(Path.cwd(), reference)
    if file is not None:
        return _checked(reference, file)
    if not _is_importable(reference):
        raise PluginConfigError(
            f"--plugins {reference}: no such module, and no {reference.replace('.', '/')}.py in this folder"
            f"{did_you_mean(reference, _names_in(Path.cwd()))} (accepted: a module, a file, or a folder with {INIT})"
        )
    return Source(reference, reference)


def locate_all(references: Iterable[str]) -> list[Source]:
    """Find several modules, each once, in the given order.

    Args:
        references: As `locate` takes them.

    Raises:
        PluginConfigError: One is not found, or two files have the same module name.
    """
    found: dict[str, Source] = {}
    for source in map(locate, references):
        other = found.setdefault(source.module, source)
        if other.file != source.file:
            raise PluginConfigError(
                f"--plugins: {other.file} and {source.file} are both the module {source.module!r}; rename one of them"
            )
    return list(found.values())


def import_source(source: Source) -> ModuleType:
    """Import a plugin. It can import modules from its folder, and spawned processes can import its classes.

    Args:
        source: The result of `locate`.

    Raises:
        Exception: Any error raised by the module.
    """
    if source.file is None or source.folder is None:
        return importlib.import_module(source.module)
    loaded = sys.modules.get(source.module)
    if loaded is not None and _file_of(loaded) == source.file:
        return loaded
    open_folder(source.folder, [source.module.partition(".")[0]])
    if source.folder != source.file.parent:
        open_folder(source.file.parent)
    if "." in source.module:
        return importlib.import_module(source.module)
    return _execute(source.module, source.file)


def _execute(name: str, file: Path) -> ModuleType:
    """Import a file under a name, replacing a module of this name from another folder."""
    search = [str(file.parent)] if file.name == INIT else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    before = sys.modules.get(name)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def _is_path(reference: str) -> bool:
    separators = {"/", os.sep}
    return reference.startswith(("~", ".")) or reference.endswith(".py") or any(s in reference for s in separators)


def _locate_path(reference: str) -> Source:
    path = Path(reference).expanduser().absolute()
    if path.is_dir() and not (path / INIT).is_file():
        raise PluginConfigError(
            f"--plugins {reference}: a folder is a plugin only with an {INIT}; name one of its files"
            f" ({', '.join(sorted(_names_in(path))) or 'there is none'})"
        )
    file = path / INIT if path.is_dir() else path
    if not file.is_file() and path.suffix != ".py" and path.with_name(f"{path.name}.py").is_file():
        file = path.with_name(f"{path.name}.py")
    if not file.is_file():
        raise PluginConfigError(f"--plugins {reference}: there is no {path}{_nearest(path)}")
    if file.suffix != ".py":
        raise PluginConfigError(f"--plugins {reference}: {file.name} is no Python file; a plugin ends with .py")
    return _checked(reference, file)


def _nearest(path: Path) -> str:
    """A hint for a missing path: a similar name in its folder, or the part of the path that exists."""
    if path.parent.is_dir():
        return did_you_mean(path.name, (one.name for one in path.parent.iterdir()))
    there = next(parent for parent in path.parents if parent.is_dir())
    missing = path.relative_to(there).parts[0]
    hint = did_you_mean(missing, (one.name for one in there.iterdir()))
    return hint or f"; {there} is there, {missing!r} in it is not"


def _checked(reference: str, file: Path) -> Source:
    """The source of a file, after a check that its name can be a module's name."""
    file = file.resolve()
    root = _root_of(file)
    parts = [*file.parent.relative_to(root).parts, *([] if file.name == INIT else [file.stem])]
    module = ".".join(parts)
    if any("." in part for part in parts):
        raise PluginConfigError(f"--plugins {reference}: a module's name has no dot in it; rename {file.name}")
    installed = _installed_file(parts[0])
    if installed is not None and root not in installed.parents:
        raise PluginConfigError(
            f"--plugins {reference}: {parts[0]!r} is an installed module too ({installed}); rename {file}"
        )
    return Source(reference, module, file)


def _root_of(file: Path) -> Path:
    """The folder of a file, or the parent of the outermost package that contains it.

    A folder with a dot in its name, such as the unpacked archive of a release, is no package that anything is imported
    from, whatever lies in it.
    """
    folder = file.parent
    package = folder if file.name == INIT else None
    while (folder / INIT).is_file() and ("." not in folder.name or folder == package):
        folder = folder.parent
    return folder


def _below(folder: Path, module: str) -> Path | None:
    """The file of a module in a folder: `a.b` is a/b.py or a/b/__init__.py."""
    path = folder.joinpath(*module.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / INIT)
    found = next((file for file in candidates if file.is_file()), None)
    nested = "." in module and not (folder / module.split(".")[0] / INIT).is_file()
    return None if nested else found


def _names_in(folder: Path) -> list[str]:
    """Modules and packages in a folder."""
    files = [file.stem for file in folder.glob("*.py") if file.name != INIT]
    return files + [file.parent.name for file in folder.glob(f"*/{INIT}")]


def _is_importable(module: str) -> bool:
    """Whether a module is installed, as far as known without importing its package."""
    if module in sys.modules:
        return True
    try:
        top = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    return top is not None


def _installed_file(name: str) -> Path | None:
    """The file that a plain `import name` would load, not counting the folders of plugins."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = _file_of(loaded) or Path(name)
    else:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:  # a file takes precedence over a folder without __init__.py
            return None
        file = Path(spec.origin).resolve() if spec.origin and os.path.isabs(spec.origin) else Path(name)
    return None if f"{_root_of(file)}{MARK}" in sys.path else file


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
