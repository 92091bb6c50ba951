"""Builds the module of a record; an error names the record and its provider."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.manager import Offer
from foveate.plugins.output import diverted
from foveate.plugins.records import Build, Record, resolve
from foveate.plugins.tracing import traced

if TYPE_CHECKING:
    from torch import nn


def load(offer: Offer[Any], build: str | Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Import the callable of a record.

    Args:
        offer: The record and its provider.
        build: Another callable of the record, used instead of `record.build`.

    Raises:
        PluginError: The callable cannot be imported; the message names the provider.
    """
    try:
        with traced("import of " + offer.record.name, offer.provider), diverted():
            return resolve(offer.record.build if build is None else build)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may also call sys.exit
        raise PluginError(
            f"{offer.record.noun} {offer.record.name!r} of {offer.provider} cannot be built: "
            f"{type(error).__name__}: {error}"
        ) from error


def build_module(
    offer: Offer[Any],
    *first: object,
    options: Mapping[str, Any],
    build: str | Build | None = None,
    site: str = "",
    **given: object,
) -> nn.Module:
    """Build a record's module.

    Args:
        offer: The record and its provider.
        *first: Arguments passed by position.
        options: Options of the recipe; only these are checked against the callable's parameters.
        build: Another callable of the record, used instead of `record.build`.
        site: The block, slot and position for error messages; the record and its provider if not given.
        **given: Other arguments passed by name.

    Raises:
        PluginConfigError: An option or its value is not accepted (exit code 2).
        PluginError: The plugin fails, or returns something other than a module (exit code 5).
    """
    record: Record = offer.record
    site = site or f"{record.noun} {record.name!r} of {offer.provider}"
    create = load(offer, build)
    check_options(f"{record.noun} {record.name!r}", create, options, record.given)
    chosen = dict(options) if not getattr(record, "prefix", False) else {"name": first[0], **options}
    with traced("build", offer.provider, [record.name]), named(site, chosen):
        module = create(*first, **given, **options)
    return expect_module(module, site)


@contextmanager
def named(site: str, options: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Turn an error while building into one that names what was built.

    Args:
        site: What is built, where it goes, and who offers it.
        options: Options of the recipe. If there are any, a TypeError or ValueError is taken for a wrong option.

    Raises:
        PluginConfigError: The recipe's options are wrong (exit code 2).
        PluginError: The plugin fails (exit code 5).
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # a plugin may also call sys.exit
        if hasattr(error, "exit_code") or type(error).__name__ == "OutOfMemoryError":
            raise
        if options and isinstance(error, TypeError | ValueError):
            raise PluginConfigError(f"{site} with {dict(options)}: {error}") from error
        raise PluginError(f"{site} cannot be built: {type(error).__name__}: {error}") from error


def expect_module(module: object, site: str) -> nn.Module:
    """Return the module, after checking that it is one.

    Args:
        module: What a callable returned.
        site: What was built, for the message.

    Raises:
        PluginError: It is not an nn.Module.
    """
    from torch import nn

    if not isinstance(module, nn.Module):
        raise PluginError(f"{site} cannot be built: its callable returned a {type(module).__name__}, not an nn.Module")
    return module


def check_options(what: str, build: Build, options: Mapping[str, Any], given: tuple[str, ...] = ()) -> None:
    """Refuse an option that a callable does not accept; the message lists the accepted ones.

    Args:
        what: What is built, for the message.
        build: The callable.
        options: Options of the recipe.
        given: Parameters that Foveate passes itself, which are no options.

    Raises:
        PluginConfigError: An option is not accepted.
    """
    accepted = list_options(build, given)
    if accepted is None:
        return
    known = [parameter.name for parameter in accepted]
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known)
            raise PluginConfigError(f"{what} has no option {option!r}{hint} (accepted: {', '.join(known) or 'none'})")


def list_options(build: Build, given: tuple[str, ...]) -> list[inspect.Parameter] | None:
    """The parameters of a callable that a recipe may set; None if it accepts any name (`**options`).

    Args:
        build: The callable.
        given: Parameters that Foveate passes itself.
    """
    parameters = list(inspect.signature(build).parameters.values())[1:]  # the first is passed by position
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p for p in parameters if p.name not in given]
