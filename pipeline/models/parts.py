"""Parts of a network by name: modules, parameters, and slices of either, such as an encoder's first stages."""

from __future__ import annotations

import re

from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.stages import parameters_by_stage
from foveate.pipeline.text import few
from foveate.plugins.hints import did_you_mean

STAGES = "stages"
SHOWN = 16  # parts, in a message
INDEX = re.compile(r"(?P<name>.*?)\[(?P<index>-?\d+|-?\d*:-?\d*)\]")


def split_list(text: str) -> list[str]:
    """Names between commas.

    Args:
        text: What stands in a recipe or on the command line.

    Example:
        >>> split_list("encoder.stages[:2], decoder")
        ['encoder.stages[:2]', 'decoder']
    """
    return [name for part in text.split(",") if (name := part.strip())]


def find_part(network: nn.Module, name: str) -> list[str]:
    """The parameters and buffers of a part, by their names in the state dict.

    Args:
        network: Where to look.
        name: A module or parameter as in the state dict (`encoder.block1`); one or a slice of a list of modules
            (`encoder.blocks[:6]`); or of the stages of the encoder, one for each feature that it gives, the stem being
            part of the first (`encoder.stages[:2]`).

    Raises:
        ConfigError: There is no such part; the message names the nearest, and what there is.
    """
    name = name.removeprefix("network.")
    indexed = INDEX.fullmatch(name)
    whole, index = (indexed["name"], indexed["index"]) if indexed else (name, ":" * name.endswith(f".{STAGES}"))
    if index:
        parts = _list_parts(network, whole)
        if parts:
            return [one for part in _pick(name, parts, index) for one in part]
    found = [] if indexed else _below(network, name)
    if not found:
        raise ConfigError(_unknown(network, name))
    return found


def _list_parts(network: nn.Module, name: str) -> list[list[str]]:
    """The entries of what can be indexed: an encoder's stages, or a numbered list of modules."""
    parent, _, last = name.rpartition(".")
    modules = dict(network.named_modules())
    if last == STAGES and parent in modules and (stages := parameters_by_stage(modules[parent])):
        return [[f"{parent}.{one}" for one in stage] for stage in stages]
    children = [child for child, _ in modules[name].named_children()] if name in modules else []
    if not children or not all(child.isdigit() for child in children):
        return []
    return [_below(network, f"{name}.{child}") for child in children]


def _pick(name: str, parts: list[list[str]], index: str) -> list[list[str]]:
    """One or a slice of the entries.

    Raises:
        ConfigError: There are none of these numbers.
    """
    first, colon, last = index.partition(":")
    numbers = range(len(parts))
    if colon:
        picked = parts[slice(int(first) if first else None, int(last) if last else None)]
    else:
        picked = [parts[int(first)]] if int(first) in range(-len(parts), len(parts)) else []
    if not picked:
        raise ConfigError(f"no part named {name!r}: there are {len(parts)}, {numbers[0]} to {numbers[-1]}")
    return picked


def _below(network: nn.Module, name: str) -> list[str]:
    """Parameters and buffers of a module, or the one of this name."""
    return [one for one in _names(network) if one == name or one.startswith(f"{name}.")]


def _names(network: nn.Module) -> list[str]:
    return [name for name, _ in (*network.named_parameters(), *network.named_buffers())]


def _unknown(network: nn.Module, name: str) -> str:
    """What to say of a name that is no part's: the nearest one, and what there is beside it."""
    modules = {one: module for one, module in network.named_modules() if one}
    stages = {one: len(parameters_by_stage(modules[one])) for one in ("encoder",) if one in modules}
    lists = [f"{one}.{STAGES}" for one, count in stages.items() if count]
    bare = name.split("[")[0]
    parent = bare
    while parent and parent not in modules:
        parent = parent.rpartition(".")[0]
    inside = [f"{STAGES}[0:{stages[parent]}]"] if stages.get(parent) else []
    inside += [child for child, _ in (modules[parent] if parent else network).named_children()]
    known = [*modules, *lists, *_names(network)]
    hint = did_you_mean(bare, known) if bare not in known else ""
    where = f"parts of {parent}" if parent else "parts"
    return f"no part named {name!r} to freeze{hint} ({where}: {few(inside, SHOWN) or 'none'})"
