"""The reference of Python: a page for each public module, made from docstrings."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType

from foveate.docs.site.text import contents, heading, table

MODULES = {  # what a user imports; an object is described where it comes first
    "foveate": "Load a trained network, and predict",
    "foveate.pipeline.models": "Create networks",
    "foveate.pipeline.losses": "Losses",
    "foveate.pipeline.engines": "Engines: faster inference",
    "foveate.plugins": "What a plugin imports",
    "foveate.plugins.blocks": "Create attention blocks",
    "foveate.plugins.testing": "Test a block",
    "foveate.datasets.classes": "Classes of a data set",
}


def write(reference: Path) -> None:
    """Write an index and a page for each module.

    Args:
        reference: The folder of the reference; a folder `api` is made in it.
    """
    folder = reference / "api"
    folder.mkdir(parents=True)
    described: set[int] = set()
    for module, purpose in MODULES.items():
        text = heading(f"`{module}`") + f"{purpose}.\n\n```{{eval-rst}}\n"
        for name, thing in public(importlib.import_module(module)).items():
            if id(thing) not in described:
                described.add(id(thing))
                text += f".. {_directive(thing)}:: {module}.{name}\n\n"
        (folder / f"{module}.md").write_text(text + "```\n", encoding="utf-8")
    rows = [(f"[{module}]({module}.md)", purpose) for module, purpose in MODULES.items()]
    (folder / "index.md").write_text(
        heading("Python") + table(("module", "what it is for"), rows) + contents(MODULES), encoding="utf-8"
    )


def public(module: ModuleType) -> dict[str, object]:
    """The classes and functions that a module offers: those of its `__all__`, or those it defines."""
    names = getattr(module, "__all__", None)
    found = {name: getattr(module, name) for name in names or dir(module) if not name.startswith("_")}
    things = {name: thing for name, thing in found.items() if inspect.isclass(thing) or inspect.isroutine(thing)}
    if names is None:
        return {name: thing for name, thing in things.items() if thing.__module__ == module.__name__}
    return {name: thing for name, thing in things.items() if thing.__module__.startswith("foveate.")}


def _directive(thing: object) -> str:
    if not inspect.isclass(thing):
        return "autofunction"
    return "autoexception" if issubclass(thing, BaseException) else "autoclass"
