"""Class paths in recipes and flags: which may be imported, and the new paths of moved classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from foveate.pipeline.errors import ConfigError

# The three packages by name, not `foveate.`: foveate is a namespace, any folder of that name on the path adds to it.
OURS = ("foveate.pipeline", "foveate.datasets", "foveate.plugins", "lightning.pytorch", "torch.optim")
DEFINED = (*OURS, "lightning")  # modules that define them: some classes are in lightning.fabric or show as lightning.X
MOVED = {  # old module -> new module, for older recipes
    "foveate.pipeline.callbacks.averaging": "foveate.pipeline.averaging",
    "foveate.pipeline.callbacks.keeping": "foveate.pipeline.callbacks.checkpoints",
    "foveate.pipeline.callbacks.samples": "foveate.pipeline.callbacks.sample_drawer",
    "foveate.pipeline.callbacks.sheets": "foveate.pipeline.callbacks.class_sheets",
    "foveate.pipeline.training.checkpoint_io": "foveate.pipeline.runs.checkpoint_io",
    "foveate.pipeline.calibration": "foveate.pipeline.metrics.calibration",
    "foveate.pipeline.class_scores": "foveate.pipeline.metrics.classification",
    "foveate.pipeline.metrics": "foveate.pipeline.metrics.confusion",
}
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def is_allowed(path: str, modules: Sequence[str] = ()) -> bool:
    """Whether a recipe may name this class.

    Args:
        path: A class by its import path; a bare name is looked up among imported classes and checked then.
        modules: Modules that the user gave with --plugins.

    Example:
        >>> is_allowed("lightning.pytorch.callbacks.EarlyStopping"), is_allowed("foveate_evil.Task")
        (True, False)
    """
    return "." not in path or any(path.startswith(f"{module}.") for module in (*OURS, *modules))


def refusal(path: str) -> str:
    """Why a class path is refused, and what to do."""
    return (
        f"class_path {path!r} is refused: a recipe may name classes of foveate, lightning.pytorch and torch.optim; "
        f"for your own classes add --plugins {path.partition('.')[0]}"
    )


def check_class_paths(node: object, modules: Sequence[str] = ()) -> None:
    """Refuse a recipe that names a class from elsewhere, before anything is imported.

    `import_only_ours` checks every import by name. This check comes earlier and is cheap, so that a recipe is refused
    before torch is imported.

    Args:
        node: A recipe, or a part of it.
        modules: Modules that the user gave with --plugins.

    Raises:
        ConfigError: A `class_path` names a class from another package.
    """
    if isinstance(node, Mapping):
        given = node.get("class_path")
        if isinstance(given, str) and not is_allowed(given, modules):
            raise ConfigError(refusal(given))
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list | tuple) else ()
    for child in children:
        check_class_paths(child, modules)


@contextmanager
def import_only_ours(modules: Sequence[str] = ()) -> Iterator[None]:
    """Restrict jsonargparse, inside the block, to import only what a recipe may name.

    This covers every source of names: flags in every form, text in JSON or YAML, files named by a flag, callables,
    nested arguments, the environment. jsonargparse checks the name before the import, and after it the module that
    defines the imported object, so that `lightning.pytorch.x.os.system` is refused.

    Args:
        modules: Modules that the user gave with --plugins.
    """
    from jsonargparse import set_parsing_settings  # imported here, since reading a recipe does not need it

    modules = [module for module in modules if DOTTED.fullmatch(f"{module}.x")]
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*DEFINED, *modules])
    try:
        yield
    finally:
        set_parsing_settings(import_path_denylist=list(modules))


def renamed(path: str) -> str:
    """The current path of a class, given the path in an older version.

    Example:
        >>> renamed("foveate.pipeline.callbacks.averaging.EmaWeights")
        'foveate.pipeline.averaging.EmaWeights'
    """
    module, dot, name = path.rpartition(".")
    return f"{MOVED.get(module, module)}{dot}{name}"


def rename_moved(node: Any) -> Any:
    """A recipe, or a part of it, with the current paths of moved classes."""
    if isinstance(node, Mapping):
        return {
            key: renamed(value) if key == "class_path" and isinstance(value, str) else rename_moved(value)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [rename_moved(child) for child in node]
    return node
