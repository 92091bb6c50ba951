"""From what a recipe says of a slot to the module that sits there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foveate.plugins.building import build_module
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Block

if TYPE_CHECKING:
    from torch import nn

# A name, a mapping with `name` and options, a class or callable (in Python only), or a list of these.
BlockSpec = str | Mapping[str, Any] | Callable[..., "nn.Module"]
SlotSpec = BlockSpec | Sequence[BlockSpec] | None

# The same as a recipe can say it.
Option = bool | int | float | str | list[int] | list[float] | list[str] | None
RecipeBlock = dict[str, Option] | str
RecipeSlot = list[RecipeBlock] | RecipeBlock | None


def create_block(spec: BlockSpec, channels: int, *, plugins: Plugins | None = None) -> nn.Module:
    """Build one block for features with `channels` channels.

    Raises:
        PluginError: The name is unknown or ambiguous, an option is not accepted, or the plugin fails.

    Example:
        >>> create_block({"name": "se", "reduction": 4}, channels=32).__class__.__name__
        'SqueezeExcitation'
    """
    if not isinstance(spec, str | Mapping):
        return spec(channels)
    name, options = parse_spec(spec)
    return _build(find_offer(name, plugins), channels, options)


def create_slot(spec: SlotSpec, channels: int, *, plugins: Plugins | None = None) -> nn.Module:
    """Build what a slot holds: one block, several in order, or the identity for None.

    A single block is returned bare, so that its parameters keep their published names.
    """
    from torch import nn  # late: the records are read without torch

    specs = list_specs(spec)
    if not specs:
        return nn.Identity()
    modules = [create_block(one, channels, plugins=plugins) for one in specs]
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def list_specs(spec: SlotSpec) -> list[BlockSpec]:
    """A slot's content as a list."""
    if spec is None:
        return []
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return list(spec)
    return [spec]


def parse_spec(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Split a specification into its name and its options."""
    if isinstance(spec, str):
        return spec, {}
    options = dict(spec)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise PluginConfigError(f"attention options without a name: {dict(spec)!r}; write {{name: ..., option: ...}}")
    return name, options


def find_offer(name: str, plugins: Plugins | None = None) -> Offer[Block]:
    """The block's offer among the given plugins, or the installed ones."""
    return (plugins if plugins is not None else installed_plugins()).find(name, Block)


def _build(offer: Offer[Block], channels: int, options: Mapping[str, Any]) -> nn.Module:
    block = offer.record
    if channels % block.multiple_of:
        raise PluginConfigError(
            f"block {block.name!r} needs a multiple of {block.multiple_of} channels; here are {channels}"
        )
    return build_module(offer, channels, options=options, context=f" at {channels} channels")
