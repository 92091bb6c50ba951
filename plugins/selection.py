"""Selects the installed plugins to load: --disable excludes plugins, FOVEATE_PLUGINS allows only some."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint

from foveate.plugins.errors import PluginConfigError
from foveate.plugins.hints import did_you_mean

OURS = "foveate."  # how the entry points of Foveate's own plugins begin
ALLOWED = "FOVEATE_PLUGINS"  # environment variable: `none`, or the plugins to load besides Foveate's own


def split_names(text: str) -> list[str]:
    """Split a list of names separated by commas.

    Args:
        text: The list.

    Example:
        >>> split_names("triplet, my_block,")
        ['triplet', 'my_block']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def names_of(point: EntryPoint) -> set[str]:
    """The names of a plugin in --disable and FOVEATE_PLUGINS: its entry point and its distribution.

    Args:
        point: Its entry point.
    """
    return {point.name, point.dist.name} if point.dist else {point.name}


def is_ours(point: EntryPoint) -> bool:
    """Whether a plugin is part of Foveate.

    Args:
        point: Its entry point.
    """
    return point.value.startswith(OURS)


def select(
    points: Iterable[EntryPoint], *, allowed: str | None, disable: Sequence[str]
) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """Split entry points into those to load and those not to import.

    Args:
        points: All entry points.
        allowed: `none`, or names separated by commas: of other plugins only these are loaded; Foveate's own always are.
        disable: Names of plugins not to import; these may be Foveate's own.

    Raises:
        PluginConfigError: No plugin has a name in `disable`. (An unknown name in `allowed` gives a warning, since the
            variable may be set for many environments.)
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
