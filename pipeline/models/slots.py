"""The named slots in which a model accepts attention blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foveate.plugins.blocks import SlotSpec, find_blocks
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.manager import Plugins

Attention = Mapping[str, SlotSpec]

WHY_NOT = {
    "input": "a block that warps the image would leave the mask behind; `input` is for classifiers",
}


def check_slots(attention: Attention | None, slots: Sequence[str], model: str) -> Attention:
    """The given slots; slots that the model does not have are refused.

    Args:
        attention: The blocks of each slot, as a recipe gives them.
        slots: Names of the slots that the model has.
        model: Name of the model, for the error message.

    Raises:
        PluginConfigError: The model does not have a slot; the message lists those that it has.
    """
    for slot in attention or {}:
        if slot not in slots:
            hint = did_you_mean(slot, slots)
            reason = f" ({WHY_NOT[slot]})" if slot in WHY_NOT else ""
            raise PluginConfigError(f"{model} has no attention slot {slot!r}{reason}; slots: {', '.join(slots)}{hint}")
    return attention or {}


def find_slots(attention: Attention | None, plugins: Plugins) -> Attention | None:
    """The slots with the name of every block resolved, so that the model can be built without the plugins.

    Args:
        attention: The blocks of each slot, as a recipe gives them.
        plugins: Where blocks are looked up.

    Raises:
        PluginError: A block is unknown or ambiguous.
    """
    if attention is None:
        return None
    return {slot: find_blocks(slot, spec, plugins) for slot, spec in attention.items()}
