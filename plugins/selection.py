"""Which of the installed plugins are loaded: those not disabled, of which the environment may allow a few only."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint

from foveate.plugins.errors import PluginConfigError
from foveate.plugins.hints import did_you_mean

OURS = "foveate."  # where our own plugins begin
ALLOWED = "FOVEATE_PLUGINS"  # in the environment: `none`, or the plugins to load beside our own


def split_names(text: str) -> list[str]:
    """What stands between commas.

    Example:
        >>> split_names("triplet, my_block,")
        ['triplet', 'my_block']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


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
        PluginConfigError: No plugin has a name in `disable`. (One in `allowed` gives a warning: it may be set
            for many environments.)
    """
    points = list(points)
    known = sorted(set().union(*map(names_of, points)))
    for name in disable:
        if name not in known:
            hint = did_you_mean(name, known)
            raise PluginConfigError(f"--disable: no plugin {name!r}{hint} (installed: {', '.join(known)})")
    chosen = None if allowed is None else set(split_names(allowed)) - {"none"}
    for name in sorted((chosen or set()) - set(known)):
        text = f"{ALLOWED}: no plugin {name!r} is installed{did_you_mean(name, known)}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)

    def is_wanted(point: EntryPoint) -> bool:
        names = names_of(point)
        return not names & set(disable) and (chosen is None or is_ours(point) or bool(names & chosen))

    return [p for p in points if is_wanted(p)], [p for p in points if not is_wanted(p)]
