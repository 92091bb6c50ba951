"""Discovery: turns entry points into named records, and keeps a faulty plugin from harming the others."""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from foveate.plugins.admission import draw_records, holds_only_classes, import_plugin
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import Block, Record
from foveate.plugins.selection import ALLOWED, is_ours, select
from foveate.plugins.tracing import traced

GROUP = "foveate"
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
class Plugins:
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
            PluginConfigError: No plugin offers it (exit code 2).
            PluginError: Several plugins offer it (exit code 5).
        """
        found = [offer for offer in self.of_kind(kind) if _answers(offer, name)]
        if not found:
            raise PluginConfigError(self._unknown(name, kind))
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


def discover(points: Iterable[EntryPoint], modules: Sequence[str] = ()) -> Plugins:
    """Load the given entry points and modules, each inside a guard of its own.

    A plugin that fails to load, misspells a hook, has a wrong signature or asks for a newer interface is left
    out with one warning that names it and its distribution. Only Ctrl-C passes.
    """
    manager = Plugins()
    for point in points:
        distribution = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else ""
        provider = Provider(distribution=distribution, version=version, entry_point=f"{point.name} = {point.value}")
        _admit(manager, provider, point.load)
    for name in modules:
        provider = Provider(distribution=name, version="", entry_point=f"--plugins {name}")
        _admit(manager, provider, partial(import_plugin, name))
    return manager


def _admit(manager: Plugins, provider: Provider, load: Callable[[], object]) -> None:
    try:
        with traced("import", provider):
            plugin = load()
        by_name = provider.entry_point.startswith("--plugins")  # given for its classes, which a recipe names
        records = [] if by_name and holds_only_classes(plugin) else draw_records(plugin, provider)
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


_installed: Plugins | None = None


def installed_plugins(modules: Sequence[str] = (), disable: Sequence[str] = ()) -> Plugins:
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
