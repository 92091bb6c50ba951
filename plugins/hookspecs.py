"""The hooks a plugin may implement."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from foveate.plugins.records import Block

hookspec = pluggy.HookspecMarker("foveate")
hookimpl = pluggy.HookimplMarker("foveate")


@hookspec
def foveate_blocks() -> Iterable[Block]:  # type: ignore[empty-body]
    """Offer attention blocks.

    Returns:
        The records of the blocks, in any order; a generator will do.
    """
