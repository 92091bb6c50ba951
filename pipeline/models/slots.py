"""The named slots in which a model accepts attention blocks.

`stage` is the slot `stage` in every stage, `stage@3` that of the third stage alone, in place of what `stage` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foveate.plugins.blocks import SlotSpec, find_blocks
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.hints import did_you_mean
from foveate.plugins.manager import Plugins

Attention = Mapping[str, SlotSpec]

AT = "@"  # between a slot and the number of a stage
WHOLE = ("input", "decoder")  # slots that a model has once
WHY_NOT = {
    "input": "a block that warps the image would leave the mask behind; `input` is for classifiers",
}


def check_slots(
    attention: Attention | None, slots: Sequence[str], model: str, *, stages: int | None = None
) -> Attention:
    """The given slots; slots that the model does not have are refused.

    Args:
        attention: The blocks of each slot, as a recipe gives them.
        slots: Names of the slots that the model has.
        model: Name of the model, for the error message.
        stages: Number of stages that may have blocks of their own (`stage@3`); not checked if not given.

    Raises:
        PluginConfigError: The model does not have a slot or a stage; the message lists those that it has.
    """
    for given in attention or {}:
        slot, number = split_stage(given)
        if number is not None and slot in slots:
            _check_stage(slot, number, model, stages)
            continue
        if given not in slots:
            slot = given
            hint = did_you_mean(slot, slots)
            reason = f" ({WHY_NOT[slot]})" if slot in WHY_NOT else ""
            raise PluginConfigError(f"{model} has no attention slot {slot!r}{reason}; slots: {', '.join(slots)}{hint}")
    return attention or {}


def split_stage(slot: str) -> tuple[str, str | None]:
    """A slot, and what follows its `@`: the number of a stage, or None for all.

    Args:
        slot: As a recipe names it.

    Example:
        >>> split_stage("gate@3"), split_stage("gate")
        (('gate', '3'), ('gate', None))
    """
    name, at, number = slot.partition(AT)
    return (name, number) if at else (slot, None)


def slot_at(attention: Attention, slot: str, stage: int) -> SlotSpec:
    """What is in a slot in one stage.

    Args:
        attention: The blocks of each slot, checked.
        slot: Name of the slot.
        stage: The stage, from 1.

    Example:
        >>> attention = {"stage": "se", "stage@2": "none"}
        >>> [slot_at(attention, "stage", stage) for stage in (1, 2)]
        ['se', 'none']
    """
    alone = f"{slot}{AT}{stage}"
    return attention[alone] if alone in attention else attention.get(slot)


def _check_stage(slot: str, number: str, model: str, stages: int | None) -> None:
    if slot in WHOLE:
        raise PluginConfigError(f"{model} has the slot {slot!r} once, not in each stage: {slot}{AT}{number}")
    if not number.isdecimal() or number.startswith("0") or (stages is not None and int(number) > stages):
        known = "from 1" if stages is None else f"1 to {stages}"
        raise PluginConfigError(f"{model} has no stage {number!r} for {slot}{AT}{number}; accepted: {known}")


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
