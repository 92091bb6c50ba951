"""Reads a config and the configs in its `_base_`, and merges them as mmengine does; no line of them is run."""

from __future__ import annotations

import ast
from pathlib import Path

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mmseg.expressions import Evaluator
from foveate.pipeline.mmseg.located import Located, Place

MOST_BYTES = 1_000_000  # of a file
MOST_FILES = 100  # read for one config
DELETE = "_delete_"
BASE = "_base_"
NEW_STYLE = "is a config of the new style, which imports Python modules; only configs with `_base_ = ...` are read"


def read_config(path: Path) -> Located:
    """The merged mapping of a config.

    Args:
        path: A `.py` file of mmseg 1.x or 0.x.

    Raises:
        ConfigError: It or one of its `_base_` is missing, not Python, inherits from itself, or holds something that
            would have to be run.
    """
    return _Reader().read(path, ())


class _Reader:
    """Counts the files of one config."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, path: Path, above: tuple[Path, ...]) -> Located:
        """A file merged into its bases.

        Args:
            path: The file.
            above: Files that inherit from it, outermost first.
        """
        path = path.resolve()
        if path in above:
            raise ConfigError(f"{above[-1]}: _base_ leads back to {path.name}, which inherits from this file")
        self.count += 1
        if self.count > MOST_FILES:
            raise ConfigError(f"{above[0]}: its _base_ files are more than {MOST_FILES}")
        tree = _parse(path)
        start = Place(path, 1)
        inherited = Located({}, start)
        own = Evaluator(path, {}, inherited)
        for base in _bases(tree, own):
            given = self.read(path.parent / str(base.value), (*above, path))
            own.inherited = inherited = _join(inherited, given, base.place)
        for statement in tree.body:
            _assign(statement, own)
        own.names.pop(BASE, None)
        names = {name: value for name, value in own.names.items() if not name.startswith("__")}
        return merge(inherited, Located(names, start))


def _parse(path: Path) -> ast.Module:
    """The syntax tree of a file, which is not run."""
    if path.suffix != ".py" or not path.is_file():
        what = "no such file" if path.suffix == ".py" else "configs of mmseg are .py files"
        raise ConfigError(f"{path}: {what}")
    if path.stat().st_size > MOST_BYTES:
        raise ConfigError(f"{path}: {path.stat().st_size} bytes are too many for a config (at most {MOST_BYTES})")
    try:
        return ast.parse(path.read_bytes().decode("utf-8-sig"))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Place(path, line).error(f"not readable as Python ({getattr(error, 'msg', error)})") from error
    except (RecursionError, MemoryError) as error:
        raise ConfigError(f"{path}: nested too deeply to be read") from error


def _bases(tree: ast.Module, own: Evaluator) -> list[Located]:
    """The files that a config names in `_base_`."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [BASE]:
            given = _value(statement.value, own)
            listed = given.value if isinstance(given.value, list) else [given]
            for one in listed:
                if not isinstance(one.value, str) or "::" in one.value:
                    raise one.place.error("_base_ is the path of a config, or a list of paths, relative to this file")
            return listed
    return []


def _assign(statement: ast.stmt, own: Evaluator) -> None:
    """Evaluate NAME = VALUE; docstrings are passed over."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return
    place = own.place(statement)
    if isinstance(statement, ast.With) or (
        isinstance(statement, ast.ImportFrom) and "read_base" in ast.unparse(statement)
    ):
        raise place.error(NEW_STYLE)
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        value = _value(statement.value, own)
        for target in statement.targets:
            assert isinstance(target, ast.Name)
            own.names[target.id] = value
        return
    first = " ".join(ast.unparse(statement).split())[:60]
    raise place.error(f"`{first}` is not run; accepted are lines NAME = VALUE, whose values are plain data")


def _value(node: ast.expr, own: Evaluator) -> Located:
    try:
        return own.value(node)
    except RecursionError as error:
        raise own.place(node).error("nested too deeply to be read") from error


def _join(first: Located, second: Located, place: Place) -> Located:
    """Two bases side by side, which may not give the same name."""
    assert isinstance(first.value, dict)
    assert isinstance(second.value, dict)
    if both := sorted(first.value.keys() & second.value.keys()):
        raise place.error(f"two files of _base_ give {both[0]}: {first.value[both[0]].place} too")
    return Located({**first.value, **second.value}, place)


def merge(below: Located, above: Located) -> Located:
    """A mapping over another: inner mappings are merged, everything else is replaced.

    Args:
        below: What is inherited.
        above: What a file says; a mapping with `_delete_=True` replaces the inherited one.

    Raises:
        ConfigError: A mapping would be merged into something that is none.
    """
    assert isinstance(above.value, dict)
    if below.value is None or not isinstance(below.value, dict):
        raise above.place.error(
            f"a dict cannot be merged into what {below.place} gives; write {DELETE}=True in it to replace that"
        )
    merged = dict(below.value)
    for key, value in above.value.items():
        if key == DELETE:
            continue
        if not isinstance(value.value, dict):
            merged[key] = value
        elif key in merged and not _replaces(value):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = _without_marks(value)
    return Located(merged, above.place)


def _replaces(value: Located) -> bool:
    mark = value.at(DELETE)
    return mark is not None and bool(mark.value)


def _without_marks(value: Located) -> Located:
    """A mapping without its `_delete_`."""
    assert isinstance(value.value, dict)
    if DELETE not in value.value:
        return value
    return Located({key: one for key, one in value.value.items() if key != DELETE}, value.place)
