"""Finds the state dicts in a checkpoint, at any depth and beside other content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import few
from foveate.pipeline.weights.unpickling import Inert

State = dict[str, Tensor]
DEEPEST, DEEPEST_MODULE = 8, 40  # levels of nested mappings, and of nested modules
AVERAGES = ("ema", "averag", "swa", "shadow", "teacher", "polyak", "momentum_encoder")
FIRST = ("state_dict", "model", "module", "model_state_dict", "network", "net", "params", "weights")
LAST = ("student", "current")  # names of the trained weights beside which an average is stored


def find_states(content: Any) -> dict[str, State]:
    """Every mapping in a checkpoint that holds tensors, by its path, such as `ema.module`.

    A mapping of mappings is also listed as a whole, with names such as `encoder.conv.weight`. The state of an
    optimiser is left out. The tensors of a pickled module have the names of its `state_dict`.

    Args:
        content: The content of the file.
    """
    return {path: state for path, state in _walk(content, (), 0) if state}


def rank(path: str) -> int:
    """Order of preference among state dicts that fit equally: averages of the weights first, then usual names.

    Args:
        path: Path of a state dict in its file, or a prefix of names in it.
    """
    if is_average(path):
        return 0
    words = path.split(".")
    if any(word.startswith(LAST) for word in words):
        return len(FIRST) + 2
    return 1 + next((number for number, word in enumerate(FIRST) if word in words), len(FIRST))


def is_average(path: str) -> bool:
    """Whether a path is that of an average of the weights over the training.

    Args:
        path: See `rank`.
    """
    parts = path.lower().replace("_", ".").split(".")
    return any(part.startswith(word.partition("_")[0]) for part in parts for word in AVERAGES if word != AVERAGES[-1])


def default_state(states: Mapping[str, State]) -> str:
    """The path of the state dict that is used if no model is given to choose by.

    Args:
        states: The state dicts, by their paths.
    """
    most = max(map(_size, states.values()))
    large = [path for path, state in states.items() if 2 * _size(state) >= most]
    return min(large, key=lambda path: (rank(path), -path.count(".")))


def pick_state(states: Mapping[str, State], key: str) -> State:
    """The state dict with this path, or the part of one whose names start with it.

    Args:
        states: The state dicts, by their paths.
        key: A path, or the first words of names.

    Raises:
        CheckpointError: There is none; the message lists those that exist.
    """
    below = {path: state for path, state in states.items() if path == key or path.startswith(f"{key}.")}
    if below:
        return states[min(below, key=len)]
    for path, state in states.items():
        start = f"{key}." if not path else f"{key.removeprefix(f'{path}.')}."
        part = {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
        if part:
            return part
    raise CheckpointError(f"holds nothing under {key!r}; {list_keys(states)}")


def list_keys(states: Mapping[str, State]) -> str:
    """The available keys, for a message: the paths of several state dicts, or the first words of the names of one.

    Args:
        states: The state dicts, by their paths.
    """
    named = {path: state for path, state in states.items() if path}
    if named:
        return f"keys found: {few((f'{path} ({len(state)} tensors)' for path, state in named.items()), 8)}"
    words = Counter(name.partition(".")[0] for state in states.values() for name in state)
    return f"keys found: {few((f'{word} ({count} tensors)' for word, count in words.most_common()), 8)}"


def _walk(node: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, State]]:
    """The state dicts of a node's children, then that of the node as a whole, if it differs."""
    if isinstance(node, Inert) and "_modules" in node.attributes:
        yield ".".join(path), dict(_of_module(node, ()))
        return
    if depth > DEEPEST or not isinstance(node, Mapping) or _is_optimiser(node):
        return
    direct, joined, below = {}, {}, 0
    for key, child in _items(node):
        tensor = as_tensor(child)
        if tensor is not None:
            direct[key] = tensor
        elif not key.lower().startswith("optim"):
            found = dict(_walk(child, (*path, key), depth + 1))
            yield from found.items()
            whole = found.get(".".join((*path, key)))
            below += bool(found)
            joined.update({f"{key}.{name}": tensor for name, tensor in (whole or {}).items()})
    if direct or below > 1:
        yield ".".join(path), direct | joined


def _items(node: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    everything = {**node.attributes, **node} if isinstance(node, Inert) else node
    yield from ((str(key), child) for key, child in everything.items())


def _is_optimiser(node: Any) -> bool:
    return isinstance(node, Mapping) and "param_groups" in node


def as_tensor(value: Any) -> Tensor | None:
    """Convert a tensor or a numeric array to a tensor; None for anything else.

    Args:
        value: Any object.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.size:
        return torch.from_numpy(np.ascontiguousarray(value))
    return None


def _of_module(node: Inert, path: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    """The content of the module's `state_dict`."""
    held = node.attributes
    transient = held.get("_non_persistent_buffers_set") or ()
    for group in ("_parameters", "_buffers"):
        for name, value in (held.get(group) or {}).items():
            if isinstance(value, Tensor) and name not in transient:
                yield ".".join((*path, str(name))), value
    for name, child in (held.get("_modules") or {}).items():
        if isinstance(child, Inert) and len(path) < DEEPEST_MODULE:  # a pickled module can contain itself
            yield from _of_module(child, (*path, str(name)))


def _size(state: State) -> int:
    return sum(tensor.numel() for tensor in state.values())
