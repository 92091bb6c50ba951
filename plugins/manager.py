"""Discovery: loads plugins from entry points and collects their records; a faulty plugin is left out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Generic, NoReturn, TypeVar

from foveate.plugins.admission import draw_records
from foveate.plugins.errors import PluginConfigError, PluginError, PluginLeftOutError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.output import diverted as diverted
from foveate.plugins.records import Block, Record
from foveate.plugins.selection import ALLOWED, is_ours, select, split_names
from foveate.plugins.sources import Source, import_source, locate_all
from foveate.plugins.stored import restore
from foveate.plugins.tracing import traced
from foveate.plugins.trial import reason
from foveate.plugins.verdicts import judge, offered_before

GROUP = "foveate"
AnyRecord = TypeVar("AnyRecord", bound=Record, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Who offers a record.

    Attributes:
        distribution: Name of the distribution, or of the module named by hand.
        version: Version of the distribution; empty for a module named by hand.
        entry_point: The entry point that was loaded, or the --plugins option.
    """

    distribution: str
    version: str
    entry_point: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True, kw_only=True)
class Offer(Generic[AnyRecord]):
    """A record and its provider.

    Attributes:
        record: The record.
        provider: Who offers it.
    """

    record: AnyRecord
    provider: Provider


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A plugin that was left out.

    Attributes:
        provider: The plugin.
        name: Name of its entry point.
        reason: Why it was left out.
        offered: Noun and name of what it offered when it last loaded; empty if it never did.
    """

    provider: Provider
    name: str
    reason: str
    offered: Sequence[tuple[str, str]] = ()

    def __str__(self) -> str:
        return f"plugin {self.provider.entry_point!r} of {self.provider}: {self.reason}"

    def seems_to_offer(self, name: str, kind: type[Record]) -> bool:
        """Whether a name is one of this plugin's: it offered it before, or is called like it.

        Args:
            name: The name, as in a recipe.
            kind: The class of the record.
        """
        bare = name.removeprefix(f"{self.provider.distribution}:")
        before = any(noun == kind.noun and bare.partition(":")[0] == one for noun, one in self.offered)
        return before or bare != name or name in (self.name, self.provider.distribution)


@dataclass
class Plugins:
    """The records of a set of plugins.

    Attributes:
        offers: All accepted offers, in order of discovery.
        left_out: The plugins that were left out.
        disabled: The plugins that were not imported because of --disable or FOVEATE_PLUGINS.
        pending: Installed plugins whose records are known from an earlier import; `find` imports them.
    """

    offers: list[Offer[Record]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    pending: dict[Provider, EntryPoint] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """For each plugin that was left out, a line with the reason."""
        return list(map(str, self.left_out))

    def of_kind(self, kind: type[AnyRecord]) -> Sequence[Offer[AnyRecord]]:
        """The offers of one kind of record, in order of discovery.

        Args:
            kind: The class of the record, such as Block.
        """
        return [
            Offer(record=offer.record, provider=offer.provider)
            for offer in self.offers
            if isinstance(offer.record, kind)
        ]

    def find(self, name: str, kind: type[AnyRecord]) -> Offer[AnyRecord]:
        """The offer called `name`, or `distribution:name` where two plugins share a name.

        A record with `prefix` answers every name that begins with its own name and a colon. The plugin is imported.

        Args:
            name: The name, as in a recipe.
            kind: The class of the record, such as Block.

        Raises:
            PluginConfigError: No plugin offers it (exit code 2).
            PluginLeftOutError: No plugin offers it, but one that was left out may (exit code 5).
            PluginError: Several plugins offer it (exit code 5).
        """
        found = [offer for offer in self.of_kind(kind) if _answers(offer, name)]
        if not found:
            self._miss(name, kind)
        if len(found) > 1:
            bare = found[0].record.name
            picks = sorted({f"{offer.provider.distribution}:{bare}" for offer in found})
            advice = f"write {' or '.join(picks)}" if len(picks) > 1 else f"its author must rename one ({picks[0]})"
            raise PluginError(f"{len(found)} {kind.what} are named {bare!r}; {advice}")
        if found[0].provider in self.pending:
            self._import(found[0].provider)
            return self.find(name, kind)
        return found[0]

    def blame(self, name: str, kind: type[Record]) -> None:
        """Nothing, unless a plugin that was left out seems to offer a name.

        Args:
            name: The name, as in a recipe.
            kind: The class of the record, such as Block.

        Raises:
            PluginLeftOutError: One does; the message says why it was left out (exit code 5).
        """
        suspects = [str(one) for one in self.left_out if one.seems_to_offer(name, kind)]
        if suspects:
            raise PluginLeftOutError(f"no {kind.noun} named {name!r}; left out: {'; '.join(suspects)}")

    def _miss(self, name: str, kind: type[Record]) -> NoReturn:
        """Raise what fits an unknown name: a left-out plugin may offer it, unless it is like a known one."""
        self.blame(name, kind)
        known = sorted({offer.record.name + ":..." * _is_prefix(offer) for offer in self.of_kind(kind)})
        hint = did_you_mean(name, known)
        left_out = f"; left out: {'; '.join(self.faults)}" if self.left_out else ""
        if self.left_out and not hint:
            raise PluginLeftOutError(f"no {kind.noun} named {name!r} in the plugins that load{left_out}")
        left_out += f"; disabled: {', '.join(self.disabled)}" if self.disabled else ""
        see = "foveate plugins list" + (f" --what {kind.what}" if kind is not Block else "")
        raise PluginConfigError(
            f"no {kind.noun} named {name!r}{hint} (installed: {', '.join(known)} ; see: {see}){left_out}"
        )

    def _import(self, provider: Provider) -> None:
        """Import a plugin whose records are known, and put those that it offers now in their place."""
        point = self.pending.pop(provider)
        place = next(number for number, offer in enumerate(self.offers) if offer.provider == provider)
        rest = [offer for offer in self.offers if offer.provider != provider]
        now = Plugins()
        _admit(now, provider, point)
        self.left_out += now.left_out
        self.offers = [*rest[:place], *now.offers, *rest[place:]]


def _answers(offer: Offer[AnyRecord], name: str) -> bool:
    own = offer.record.name
    if _is_prefix(offer):
        return name.startswith((f"{own}:", f"{offer.provider.distribution}:{own}:"))
    return name in (own, f"{offer.provider.distribution}:{own}")


def _is_prefix(offer: Offer[AnyRecord]) -> bool:
    return bool(getattr(offer.record, "prefix", False))


def discover(points: Iterable[EntryPoint], modules: Sequence[str] = (), *, isolated: bool = False) -> Plugins:
    """Load the given entry points and modules.

    An installed plugin that fails to import, misspells a hook, has a hook with a wrong signature or needs a newer
    interface is left out, with one warning that names it and its distribution; only Ctrl-C is not caught. For a module
    named by hand the same fault is an error, since the user asked for it. Such a module may have no hooks, for example
    if it holds only a data module.

    Args:
        points: The installed plugins.
        modules: Modules, files and packages named by hand, as `sources.locate` takes them.
        isolated: Import plugins that are not part of Foveate in a child process first, unless their verdict is known,
            and here only when `find` is asked for what they offer. One whose records cannot be written as text is
            imported here too.

    Raises:
        PluginConfigError: A named module does not exist (exit code 2).
        PluginError: A named module fails (exit code 5).
    """
    sources = locate_all(modules)  # first, so that a wrong name is reported before anything is imported
    plugins = Plugins()
    for point in points:
        distribution = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else ""
        provider = Provider(distribution=distribution, version=version, entry_point=f"{point.name} = {point.value}")
        loaded = point.value.partition(":")[0].strip() in sys.modules
        admit = _admit_unseen if isolated and not is_ours(point) and not loaded else _admit
        admit(plugins, provider, point)
    for source in sources:
        _admit_named(plugins, source)
    return plugins


def _admit_unseen(plugins: Plugins, provider: Provider, point: EntryPoint) -> None:
    """Take the records that a plugin is known to offer, after an import in a child process if it is not known yet."""
    with traced("verdict", provider):
        verdict = judge(point)
    if verdict.fault:
        _leave_out(plugins, provider, point, verdict.fault)
        return
    try:
        records = restore(verdict.records)
    except Exception:  # a damaged verdict
        records = None
    if records is None:
        _admit(plugins, provider, point)
        return
    plugins.offers.extend(Offer(record=record, provider=provider) for record in records)
    if records:
        plugins.pending[provider] = point


def _admit(plugins: Plugins, provider: Provider, point: EntryPoint) -> None:
    try:
        with diverted():
            with traced("import", provider):
                plugin = point.load()
            records = draw_records(plugin, provider)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit at import too: a plugin must not end Foveate
        _leave_out(plugins, provider, point, reason(error))
        return
    plugins.offers.extend(Offer(record=record, provider=provider) for record in records)


def _leave_out(plugins: Plugins, provider: Provider, point: EntryPoint, why: str) -> None:
    left_out = LeftOut(provider=provider, name=point.name, reason=why, offered=offered_before(point))
    plugins.left_out.append(left_out)
    warnings.warn(f"left out {left_out}", RuntimeWarning, stacklevel=5)


def _admit_named(plugins: Plugins, source: Source) -> None:
    name = f"--plugins {source.reference}"
    provider = Provider(distribution=source.module, version="", entry_point=name)
    try:
        with diverted():
            with traced("import", provider):
                plugin = import_source(source)
            records = draw_records(plugin, provider, hooks_needed=False)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name == source.module and source.file is None:
            raise PluginConfigError(f"{name}: {error}") from error
        where = source.file or f"module {source.module!r}"
        raise PluginError(f"{name}: {where} fails: {reason(error)}") from error
    plugins.offers.extend(Offer(record=record, provider=provider) for record in records)


_installed: Plugins | None = None


def installed_plugins(modules: Sequence[str] = (), disable: Sequence[str] = ()) -> Plugins:
    """The installed plugins; the search is done once per process.

    Args:
        modules: Modules, files and packages to load too, as `sources.locate` takes them; repeats the search.
        disable: Plugins not to import, by entry point or distribution; repeats the search.

    Raises:
        PluginConfigError: A module does not exist, or no plugin has a name in `disable` (exit code 2).
        PluginError: A module fails (exit code 5).
    """
    global _installed
    if _installed is None or modules or disable:
        ours_first = sorted(entry_points(group=GROUP), key=lambda point: (not is_ours(point), point.name))
        wanted, unwanted = select(ours_first, allowed=os.environ.get(ALLOWED), disable=disable)
        _installed = discover(wanted, modules, isolated=True)
        _installed.disabled = [point.name for point in unwanted]
    return _installed


def load_named(words: Sequence[str]) -> None:
    """Load the plugins that a command line names, before anything heavy is imported.

    Args:
        words: The words of the command line; only `--plugins A,B` and `--plugins=A,B` are read.

    Raises:
        PluginConfigError: A module does not exist (exit code 2).
        PluginError: A module fails (exit code 5).
    """
    following = [value for word, value in pairwise(words) if word == "--plugins"]
    joined = [word.removeprefix("--plugins=") for word in words if word.startswith("--plugins=")]
    modules = [name for value in (*following, *joined) for name in split_names(value)]
    if modules:
        discover([], modules)
