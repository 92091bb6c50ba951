"""From what a recipe says of a slot to the module that sits there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foveate.plugins.errors import BlockConfigError, PluginError
from foveate.plugins.manager import Offer, PluginManager, installed_plugins
from foveate.plugins.records import resolve

if TYPE_CHECKING:
    from torch import nn

# A name, a mapping with `name` and options, a class or callable (in Python only), or a list of these.
BlockSpec = str | Mapping[str, Any] | Callable[..., "nn.Module"]
SlotSpec = BlockSpec | Sequence[BlockSpec] | None

# The same as a recipe can say it.
Option = bool | int | float | str | list[int] | list[float] | list[str] | None
RecipeBlock = dict[str, Option] | str
RecipeSlot = list[RecipeBlock] | RecipeBlock | None


def create_block(spec: BlockSpec, channels: int, *, plugins: PluginManager | None = None) -> nn.Module:
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


def create_slot(spec: SlotSpec, channels: int, *, plugins: PluginManager | None = None) -> nn.Module:
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
        raise BlockConfigError(f"attention options without a name: {dict(spec)!r}; write {{name: ..., option: ...}}")
    return name, options


def find_offer(name: str, plugins: PluginManager | None = None) -> Offer:
    """The offer of this name among the given plugins, or the installed ones."""
    return (plugins if plugins is not None else installed_plugins()).find(name)


def _build(offer: Offer, channels: int, options: Mapping[str, Any]) -> nn.Module:
    block = offer.block
    if channels % block.multiple_of:
        raise BlockConfigError(
            f"block {block.name!r} needs a multiple of {block.multiple_of} channels; here are {channels}"
        )
    build = _load(offer)
    _check_options(block.name, build, options)
    try:
        return build(channels, **options)
    except (TypeError, ValueError) as error:
        given = f" with {dict(options)}" if options else ""
        raise BlockConfigError(f"block {block.name!r}{given} at {channels} channels: {error}") from error


def _load(offer: Offer) -> Callable[..., nn.Module]:
    try:
        return resolve(offer.block.build)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"block {offer.block.name!r} of {offer.provider} cannot be built: {type(error).__name__}: {error}"
        ) from error


def _check_options(name: str, build: Callable[..., nn.Module], options: Mapping[str, Any]) -> None:
    """Refuse an option the block does not take, and name those it does."""
    parameters = list(inspect.signature(build).parameters.values())[1:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters]
    for option in options:
        if option not in known:
            accepted = ", ".join(known) or "none"
            raise BlockConfigError(f"block {name!r} has no option {option!r}; accepted: {accepted}")
