"""Collects the records of one plugin, and checks its hooks and records."""

from __future__ import annotations

from types import ModuleType

import pluggy

from foveate.plugins import hookspecs
from foveate.plugins.errors import PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import API_VERSION, Record
from foveate.plugins.tracing import traced


def draw_records(plugin: object, provider: object, *, hooks_needed: bool = True) -> list[Record]:
    """The records of one plugin, after a check of its hooks against the specification.

    Args:
        plugin: The object that implements the hooks.
        provider: Where the plugin comes from, for the trace.
        hooks_needed: Whether a plugin without any hook is an error. False for a module named by hand, which may hold
            only a data module's class.

    Raises:
        PluginError: It misspells a hook or implements none, or a record is not what the hook asks for.
        Exception: Any error raised by the plugin itself.
    """
    hooks = pluggy.PluginManager("foveate")
    hooks.add_hookspecs(hookspecs)
    hooks.register(plugin)
    hooks.check_pending()
    _check_spelling(plugin)
    if not hooks.get_hookcallers(plugin) and (hooks_needed or _offers_unmarked(plugin)):
        raise PluginError(f"implements no hook; known: {', '.join(hookspecs.HOOKS)} (is @hookimpl missing?)")
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


def _check_spelling(plugin: object) -> None:
    known = list(hookspecs.HOOKS)
    for name in dir(plugin):
        if name.startswith("foveate_") and name not in known and not isinstance(getattr(plugin, name), ModuleType):
            raise PluginError(f"no hook is called {name!r}{did_you_mean(name, known)}")


def _offers_unmarked(plugin: object) -> bool:
    return any(hasattr(plugin, name) for name in hookspecs.HOOKS)


def _check_record(record: object, hook: str) -> None:
    kind = hookspecs.HOOKS[hook]
    if not isinstance(record, kind):
        raise PluginError(f"{hook} gave a {type(record).__name__}, not a {kind.__name__}")
    if record.api > API_VERSION:
        raise PluginError(
            f"{kind.noun} {record.name!r} needs plugin interface {record.api}, here is {API_VERSION}; upgrade foveate"
        )
