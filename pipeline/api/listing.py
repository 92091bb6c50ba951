"""`foveate.list_blocks`: the attention blocks that there are."""

from __future__ import annotations

from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block


def list_blocks() -> list[str]:
    """The names of all attention blocks, ours and those of plugins.

    Example:
        >>> {"cbam", "lka", "msca", "se"} <= set(list_blocks())
        True
    """
    return sorted(offer.record.name for offer in installed_plugins().of_kind(Block))
