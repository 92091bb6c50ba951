"""Takes the records out of one plugin, and refuses what breaks the rules of the hooks."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pluggy

from foveate.plugins import hookspecs
from foveate.plugins.errors import PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import API_VERSION, Record
from foveate.plugins.tracing import traced


def import_plugin(name: str) -> ModuleType:
    """A module by name: imported already, a file of the current folder, or anything importable."""
    file = Path(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, file.resolve()) if file.is_file() else None
    if name in sys.modules or spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def holds_only_classes(plugin: object) -> bool:
    """Whether a module offers no hook but classes of its own, such as a data module that a recipe names."""
    members = vars(plugin) if isinstance(plugin, ModuleType) else {}
    if any(name.startswith("foveate_") for name in members):
        return False
    return any(isinstance(value, type) and value.__module__ == members["__name__"] for value in members.values())


def draw_records(plugin: object, provider: object) -> list[Record]:
    """The records of one plugin, after its hooks were checked against the specification.

    Args:
        plugin: What implements the hooks.
        provider: Who it is of, for the trace.

    Raises:
        PluginError: It misspells a hook or implements none, or a record is not what the hook asks for.
        Exception: Whatever the plugin itself raises.
    """
    hooks = pluggy.PluginManager("foveate")
    hooks.add_hookspecs(hookspecs)
    hooks.register(plugin)
    hooks.check_pending()
    _check_spelling(plugin, hooks)
    implemented = [hook.name for hook in hooks.get_hookcallers(plugin) or []]
    return [record for name in hookspecs.HOOKS if name in implemented for record in _call(hooks, name, provider)]


def _call(hooks: pluggy.PluginManager, name: str, provider: object) -> list[Record]:
    outcome: list[str] = []
    with traced(name, provider, outcome):
        records = [record for offered in getattr(hooks.hook, name)() for record in offered]
        outcome.append(f"{len(records)} offered")
    for record in records:
        _check_record(record, name)
    return records


def _check_spelling(plugin: object, hooks: pluggy.PluginManager) -> None:
    known = list(hookspecs.HOOKS)
    for name in dir(plugin):
        if name.startswith("foveate_") and name not in known:
            raise PluginError(f"no hook is called {name!r}{did_you_mean(name, known)}")
    if not hooks.get_hookcallers(plugin):
        raise PluginError(f"implements no hook; known: {', '.join(known)} (is @hookimpl missing?)")


def _check_record(record: object, hook: str) -> None:
    kind = hookspecs.HOOKS[hook]
    if not isinstance(record, kind):
        raise PluginError(f"{hook} gave a {type(record).__name__}, not a {kind.__name__}")
    if record.api > API_VERSION:
        raise PluginError(
            f"{kind.noun} {record.name!r} needs plugin interface {record.api}, here is {API_VERSION}; upgrade foveate"
        )
