"""The interface by which a module says which parts of it learn more slowly than the rest of a network, or faster."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping

from torch import nn

from foveate.plugins.errors import PluginError

ATTRIBUTE = "lr_multipliers"  # of a module: names of its submodules and parameters, with their multiples


def lr_multipliers(network: nn.Module) -> dict[str, float]:
    """What each parameter of a network has its learning rate multiplied by, where its modules ask for that.

    A module asks by an attribute `lr_multipliers`, such as `{"offset": 0.1}`: the parameters of its submodule `offset`
    learn at a tenth of the rate. A name may also be a parameter's, or one further inside (`localise.0`). Modules inside
    each other multiply; a multiple of 1 asks for nothing. The class may hold the attribute, or each module its own.

    Args:
        network: A network, or a block alone.

    Returns:
        Names of parameters, with multiples other than 1.

    Raises:
        PluginError: An attribute is not a mapping to numbers above 0, or names what the module does not have.

    Example:
        >>> block = nn.ModuleDict({"offset": nn.Linear(2, 2), "conv": nn.Linear(2, 2)})
        >>> block.lr_multipliers = {"offset": 0.1}
        >>> lr_multipliers(block)
        {'offset.weight': 0.1, 'offset.bias': 0.1}
    """
    found: dict[str, float] = {}
    names = [name for name, _ in network.named_parameters()]
    for place, module in network.named_modules():
        for part, multiple in _declared(module).items():
            whole = f"{place}.{part}" if place else part
            inside = [name for name in names if name == whole or name.startswith(f"{whole}.")]
            if not inside and not _has(module, part):
                raise PluginError(
                    f"{type(module).__name__}.{ATTRIBUTE} names {part!r}, which {place or 'it'} does not have; it has "
                    f"{', '.join(name for name, _ in module.named_children()) or 'no submodules'}"
                )
            found.update({name: found.get(name, 1.0) * multiple for name in inside})
    return {name: multiple for name, multiple in found.items() if multiple != 1}


def _declared(module: nn.Module) -> dict[str, float]:
    """What a module itself declares; wrappers that pass attributes on declare nothing."""
    if inspect.getattr_static(module, ATTRIBUTE, None) is None:
        return {}
    declared = getattr(module, ATTRIBUTE)
    if not isinstance(declared, Mapping) or not all(_is_multiple(value) for value in declared.values()):
        raise PluginError(
            f"{type(module).__name__}.{ATTRIBUTE} must map names of submodules or parameters to numbers above 0, such "
            f'as {{"offset": 0.1}}, not {declared!r}; to train a part not at all, call requires_grad_(False) on it'
        )
    return dict(declared)


def _is_multiple(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _has(module: nn.Module, part: str) -> bool:
    """Whether a module has such a part, though it has no parameters, or shares them with a module before it."""
    try:
        module.get_submodule(part)
    except AttributeError:
        return part in dict(module.named_parameters(remove_duplicate=False))
    return True
