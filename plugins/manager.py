"""Discovery: loads plugins from entry points and collects their records; a faulty plugin is left out."""

from __future__ import annotations

import os
import sys
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Generic, TypeVar

from foveate.plugins.admission import draw_records
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.records import Block, Record
from foveate.plugins.selection import ALLOWED, is_ours, select, split_names
from foveate.plugins.sources import Source, import_source, locate_all
from foveate.plugins.tracing import traced

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


@dataclass
class Plugins:
    """The records of a set of plugins.

    Attributes:
        offers: All accepted offers, in order of discovery.
        faults: For each plugin that was left out, a line with the reason.
        disabled: The plugins that were not imported because of --disable or FOVEATE_PLUGINS.
    """

    offers: list[Offer[Record]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)

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

        A record with `prefix` answers every name that begins with its own name and a colon.

        Args:
            name: The name, as in a recipe.
            kind: The class of the record, such as Block.

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
            raise PluginError(f"{len(found)} {kind.what} are named {bare!r}; {advice}")
        return found[0]

    def _unknown(self, name: str, kind: type[Record]) -> str:
        known = sorted({offer.record.name + ":..." * _is_prefix(offer) for offer in self.of_kind(kind)})
        left_out = f"; left out: {'; '.join(self.faults)}" if self.faults else ""
        left_out += f"; disabled: {', '.join(self.disabled)}" if self.disabled else ""
        see = "foveate plugins list" + (f" --what {kind.what}" if kind is not Block else "")
        hint = did_you_mean(name, known)
        return f"no {kind.noun} named {name!r}{hint} (installed: {', '.join(known)} ; see: {see}){left_out}"


def _answers(offer: Offer[AnyRecord], name: str) -> bool:
    own = offer.record.name
    if _is_prefix(offer):
        return name.startswith((f"{own}:", f"{offer.provider.distribution}:{own}:"))
    return name in (own, f"{offer.provider.distribution}:{own}")


def _is_prefix(offer: Offer[AnyRecord]) -> bool:
    return bool(getattr(offer.record, "prefix", False))


def discover(points: Iterable[EntryPoint], modules: Sequence[str] = ()) -> Plugins:
    """Load the given entry points and modules.

    An installed plugin that fails to import, misspells a hook, has a hook with a wrong signature or needs a newer
    interface is left out, with one warning that names it and its distribution; only Ctrl-C is not caught. For a module
    named by hand the same fault is an error, since the user asked for it. Such a module may have no hooks, for example
    if it holds only a data module.

    Args:
        points: The installed plugins.
        modules: Modules, files and packages named by hand, as `sources.locate` takes them.

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
        _admit(plugins, provider, point)
    for source in sources:
        _admit_named(plugins, source)
    return plugins


def _admit(plugins: Plugins, provider: Provider, point: EntryPoint) -> None:
    try:
        with diverted():
            with traced("import", provider):
                plugin = point.load()
            records = draw_records(plugin, provider)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit at import too: a plugin must not end Foveate
        fault = f"plugin {provider.entry_point!r} of {provider}: {_reason(error)}"
        plugins.faults.append(fault)
        warnings.warn(f"left out {fault}", RuntimeWarning, stacklevel=4)
        return
    plugins.offers.extend(Offer(record=record, provider=provider) for record in records)


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
        raise PluginError(f"{name}: {where} fails: {_reason(error)}") from error
    plugins.offers.extend(Offer(record=record, provider=provider) for record in records)


def _reason(error: BaseException) -> str:
    """An error in one line, with all lines of its message, since pluggy gives the cause in the third."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", 400)


@contextmanager
def diverted() -> Iterator[None]:
    """Redirect what a plugin prints to stderr, since another program may read a command's stdout."""
    with redirect_stdout(sys.stderr):
        yield


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
        _installed = discover(wanted, modules)
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
