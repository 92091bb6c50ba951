"""Builds the modules of attention slots from their specifications in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foveate.plugins.building import build_module, expect_module, named
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.guard import Site, guard
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Block

if TYPE_CHECKING:
    from torch import nn

# A name, a mapping with `name` and options, a class or callable (in Python only), or a list of these.
BlockSpec = str | Mapping[str, Any] | Callable[..., "nn.Module"]
SlotSpec = BlockSpec | Sequence[BlockSpec] | None

# The specifications that a recipe can hold.
Option = bool | int | float | str | list[int] | list[float] | list[str] | None
RecipeBlock = dict[str, Option] | str
RecipeSlot = list[RecipeBlock] | RecipeBlock | None


class SlotBlock:
    """A block that was looked up for a slot of a model; calling it with a number of channels builds it.

    Encoders and decoders call it like a class, and need not know where blocks are looked up.

    Args:
        spec: A name, a mapping with `name` and options, or a class or callable.
        slot: The slot's name; empty for a block that is built outside a model.
        plugins: Where a name is looked up; the installed plugins if None.

    Raises:
        PluginError: The name is unknown or ambiguous.
    """

    def __init__(self, spec: BlockSpec, slot: str, plugins: Plugins | None) -> None:
        self.slot = slot
        self.built = 0
        self.build: Callable[..., nn.Module] | None = None
        self.offer: Offer[Block] | None = None
        self.options: dict[str, Any] = {}
        if isinstance(spec, str | Mapping):
            name, self.options = parse_spec(spec)
            self.offer = find_offer(name, plugins)
        else:
            self.build = spec

    def __call__(self, channels: int) -> nn.Module:
        """Build the next block of the slot.

        Args:
            channels: Number of channels of the feature map.

        Raises:
            PluginConfigError: An option or the number of channels is not accepted (exit code 2).
            PluginError: The plugin fails (exit code 5).
        """
        self.built += 1
        site = Site(str(self), channels, self.slot, f"number {self.built}" if self.slot else "")
        if self.offer is not None:
            _check_width(self.offer.record, channels)
            return guard(build_module(self.offer, channels, options=self.options, site=str(site)), site)
        assert self.build is not None
        with named(str(site)):
            module = self.build(channels)
        return guard(expect_module(module, str(site)), site)

    def __str__(self) -> str:
        if self.offer is not None:
            return f"block {self.offer.record.name!r} of {self.offer.provider}"
        name = getattr(self.build, "__name__", type(self.build).__name__)
        return f"block {name!r} of {getattr(self.build, '__module__', 'Python')}"


def create_block(spec: BlockSpec, channels: int, *, plugins: Plugins | None = None) -> nn.Module:
    """Build one block for a feature map with `channels` channels.

    Args:
        spec: A name, a mapping with `name` and options, or a class or callable.
        channels: Number of channels of the feature map.
        plugins: Where a name is looked up; the installed plugins if not given.

    Raises:
        PluginError: The name is unknown or ambiguous, an option is not accepted, or the plugin fails.

    Example:
        >>> create_block({"name": "se", "reduction": 4}, channels=32).__class__.__name__
        'SqueezeExcitation'
    """
    return (spec if isinstance(spec, SlotBlock) else SlotBlock(spec, "", plugins))(channels)


def create_slot(spec: SlotSpec, channels: int, *, plugins: Plugins | None = None) -> nn.Module:
    """Build the content of a slot: one block, several in sequence, or the identity for None.

    A single block is not wrapped, so that its parameters keep their published names.

    Args:
        spec: A block's specification, a list of them, or None.
        channels: Number of channels of the feature map.
        plugins: Where names are looked up; the installed plugins if not given.

    Raises:
        PluginError: A name is unknown or ambiguous, an option is not accepted, or a plugin fails.
    """
    from torch import nn  # late import: listing plugins must not import torch

    specs = list_specs(spec)
    if not specs:
        return nn.Identity()
    modules = [create_block(one, channels, plugins=plugins) for one in specs]
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def find_blocks(slot: str, spec: SlotSpec, plugins: Plugins | None = None) -> list[BlockSpec]:
    """Look up the blocks of a slot, before anything is built.

    Args:
        slot: The slot's name, for messages.
        spec: A block's specification, a list of them, or None.
        plugins: Where names are looked up; the installed plugins if not given.

    Raises:
        PluginError: A name is unknown or ambiguous.
    """
    return [one if isinstance(one, SlotBlock) else SlotBlock(one, slot, plugins) for one in list_specs(spec)]


def list_specs(spec: SlotSpec) -> list[BlockSpec]:
    """The content of a slot as a list of specifications.

    Args:
        spec: A block's specification, a list of them, or None.
    """
    if spec is None:
        return []
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return list(spec)
    return [spec]


def parse_spec(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Split a specification into its name and its options.

    Args:
        spec: A name, or a mapping with `name` and options.

    Raises:
        PluginConfigError: The mapping has no name.
    """
    if isinstance(spec, str):
        return spec, {}
    options = dict(spec)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise PluginConfigError(f"attention options without a name: {dict(spec)!r}; write {{name: ..., option: ...}}")
    return name, options


def find_offer(name: str, plugins: Plugins | None = None) -> Offer[Block]:
    """The offer of a block.

    Args:
        name: Name of the block, or `distribution:name`.
        plugins: Where the name is looked up; the installed plugins if not given.

    Raises:
        PluginError: The name is unknown or ambiguous.
    """
    return (plugins if plugins is not None else installed_plugins()).find(name, Block)


def _check_width(block: Block, channels: int) -> None:
    if channels % block.multiple_of:
        raise PluginConfigError(
            f"block {block.name!r} needs a multiple of {block.multiple_of} channels; here there are {channels}"
        )
