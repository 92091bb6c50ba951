"""Discovery: turns entry points into named records, and keeps a faulty plugin from harming the others."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

import pluggy

from foveate.plugins import hookspecs
from foveate.plugins.errors import BlockConfigError, PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import API_VERSION, Block, Record
from foveate.plugins.tracing import traced

GROUP = "foveate"
OURS = "foveate."  # where our own plugins begin
ALLOWED = "FOVEATE_PLUGINS"  # in the environment: `none`, or the plugins to load beside our own
AnyRecord = TypeVar("AnyRecord", bound=Record, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Who offers a record: the distribution, its version, and the entry point or module that was loaded."""

    distribution: str
    version: str
    entry_point: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True, kw_only=True)
class Offer(Generic[AnyRecord]):
    """A record together with its provider."""

    record: AnyRecord
    provider: Provider


@dataclass
class PluginManager:
    """Every record that the given plugins offer.

    Attributes:
        offers: All good offers, in order of discovery.
        faults: A line for each plugin that was left out, and why.
        disabled: The plugins that were not imported, as asked.
    """

    offers: list[Offer[Record]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)

    def of_kind(self, kind: type[AnyRecord]) -> Sequence[Offer[AnyRecord]]:
        """The offers of one kind of record, in order of discovery."""
        return [
            Offer(record=offer.record, provider=offer.provider)
            for offer in self.offers
            if isinstance(offer.record, kind)
        ]

    def find(self, name: str, kind: type[AnyRecord]) -> Offer[AnyRecord]:
        """The offer called `name`, or `distribution:name` where two plugins share a name.

        A record that is a `prefix` answers every name that begins with its own and a colon.

        Raises:
            BlockConfigError: No plugin offers it (exit code 2).
            PluginError: Several plugins offer it (exit code 5).
        """
        found = [offer for offer in self.of_kind(kind) if _answers(offer, name)]
        if not found:
            raise BlockConfigError(self._unknown(name, kind))
        if len(found) > 1:
            bare = found[0].record.name
            picks = sorted({f"{offer.provider.distribution}:{bare}" for offer in found})
            advice = f"write {' or '.join(picks)}" if len(picks) > 1 else f"its author must rename one ({picks[0]})"
            raise PluginError(f"{len(found)} {_plural(kind.noun)} are named {bare!r}; {advice}")
        return found[0]

    def _unknown(self, name: str, kind: type[Record]) -> str:
        known = sorted({offer.record.name + ":..." * _is_prefix(offer) for offer in self.of_kind(kind)})
        left_out = f"; left out: {'; '.join(self.faults)}" if self.faults else ""
        left_out += f"; disabled: {', '.join(self.disabled)}" if self.disabled else ""
        see = "foveate plugins list" + (f" --what {_plural(kind.noun)}" if kind is not Block else "")
        hint = did_you_mean(name, known)
        return f"no {kind.noun} named {name!r}{hint} (installed: {', '.join(known)} ; see: {see}){left_out}"


def _answers(offer: Offer[AnyRecord], name: str) -> bool:
    own = offer.record.name
    if _is_prefix(offer):
        return name.startswith((f"{own}:", f"{offer.provider.distribution}:{own}:"))
    return name in (own, f"{offer.provider.distribution}:{own}")


def _is_prefix(offer: Offer[AnyRecord]) -> bool:
    return bool(getattr(offer.record, "prefix", False))


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


def discover(points: Iterable[EntryPoint], modules: Sequence[str] = ()) -> PluginManager:
    """Load the given entry points and modules, each inside a guard of its own.

    A plugin that fails to load, misspells a hook, has a wrong signature or asks for a newer interface is left
    out with one warning that names it and its distribution. Only Ctrl-C passes.
    """
    manager = PluginManager()
    for point in points:
        distribution = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else ""
        provider = Provider(distribution=distribution, version=version, entry_point=f"{point.name} = {point.value}")
        _admit(manager, provider, point.load)
    for name in modules:
        provider = Provider(distribution=name, version="", entry_point=f"--plugins {name}")
        _admit(manager, provider, partial(_import, name))
    return manager


def _import(name: str) -> ModuleType:
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


def _admit(manager: PluginManager, provider: Provider, load: Callable[[], object]) -> None:
    try:
        with traced("import", provider):
            plugin = load()
        records = _draw(plugin, provider)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit at import too: a plugin must not end the host
        reason = textwrap.shorten(
            f"{type(error).__name__}: {error}", 400
        )  # pluggy says what is wrong in its third line
        fault = f"plugin {provider.entry_point!r} of {provider}: {reason}"
        manager.faults.append(fault)
        warnings.warn(f"left out {fault}", RuntimeWarning, stacklevel=4)
        return
    manager.offers.extend(Offer(record=record, provider=provider) for record in records)


def _draw(plugin: object, provider: Provider) -> list[Record]:
    """The records of one plugin, after its hooks were checked against the specification."""
    hooks = pluggy.PluginManager("foveate")
    hooks.add_hookspecs(hookspecs)
    hooks.register(plugin)
    hooks.check_pending()
    _check_spelling(plugin, hooks)
    implemented = [hook.name for hook in hooks.get_hookcallers(plugin) or []]
    return [record for name in hookspecs.HOOKS if name in implemented for record in _call(hooks, name, provider)]


def _call(hooks: pluggy.PluginManager, name: str, provider: Provider) -> list[Record]:
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


def names_of(point: EntryPoint) -> set[str]:
    """What a plugin may be called in --disable and FOVEATE_PLUGINS: its entry point or its distribution."""
    return {point.name, point.dist.name} if point.dist else {point.name}


def is_ours(point: EntryPoint) -> bool:
    """Whether Foveate itself offers it."""
    return point.value.startswith(OURS)


def select(
    points: Iterable[EntryPoint], *, allowed: str | None, disable: Sequence[str]
) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """Divide entry points into those to load and those not to import.

    Args:
        points: All there are.
        allowed: `none`, or names between commas: no other plugin is loaded; our own always are.
        disable: Names of plugins not to load, ours among them.

    Raises:
        BlockConfigError: No plugin has a name in `disable`. (One in `allowed` gives a warning: it may be set
            for many environments.)
    """
    points = list(points)
    known = sorted(set().union(*map(names_of, points)))
    for name in disable:
        if name not in known:
            hint = did_you_mean(name, known)
            raise BlockConfigError(f"--disable: no plugin {name!r}{hint} (installed: {', '.join(known)})")
    chosen = None if allowed is None else {name.strip() for name in allowed.split(",")} - {"", "none"}
    for name in sorted((chosen or set()) - set(known)):
        text = f"{ALLOWED}: no plugin {name!r} is installed{did_you_mean(name, known)}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)

    def is_wanted(point: EntryPoint) -> bool:
        names = names_of(point)
        return not names & set(disable) and (chosen is None or is_ours(point) or bool(names & chosen))

    return [p for p in points if is_wanted(p)], [p for p in points if not is_wanted(p)]


_installed: PluginManager | None = None


def installed_plugins(modules: Sequence[str] = (), disable: Sequence[str] = ()) -> PluginManager:
    """What is installed, found once per process.

    Args:
        modules: Importable modules, or files of the current folder, to take beside it; searches afresh.
        disable: Plugins not to import, by entry point or distribution; searches afresh.
    """
    global _installed
    if _installed is None or modules or disable:
        ours_first = sorted(entry_points(group=GROUP), key=lambda point: (not is_ours(point), point.name))
        wanted, unwanted = select(ours_first, allowed=os.environ.get(ALLOWED), disable=disable)
        _installed = discover(wanted, modules)
        _installed.disabled = [point.name for point in unwanted]
    return _installed
