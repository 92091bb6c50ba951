"""Reads weights files without running any code in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.identification import is_safetensors, what_else
from foveate.pipeline.text import few, first_line
from foveate.pipeline.weights import folders
from foveate.pipeline.weights.nested import State, default_state, find_states, pick_state
from foveate.pipeline.weights.torch_files import read_torch_file
from foveate.pipeline.weights.unpickling import Inert
from foveate.plugins.hints import did_you_mean_path

LONGEST = 100_000  # characters of a text of metadata
SETTINGS = (("meta", "args", "config", "cfg", "hyper_parameters"), ("dataset_meta",))  # at the top level, one below


@dataclass(frozen=True)
class WeightFile:
    """The content of a weights file: tensors by their published names.

    Attributes:
        label: The source that was asked for: a path, a URL, or a name.
        state: The tensors.
        metadata: Metadata from the file, from files beside it, or from the source it was fetched from.
        states: All state dicts in the file by their paths; empty if `state` was selected by a key.
    """

    label: str
    state: State
    metadata: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)


def read_weight_file(path: Path, label: str | None = None, key: str | None = None) -> WeightFile:
    """Read tensors and metadata of a file, or of a folder that `save_pretrained` wrote.

    Args:
        path: The file or folder.
        label: Name of the file in messages (default: the path).
        key: Path of the state dict in it, such as `ema.module` (default: see `default_state`).

    Raises:
        CheckpointError: The file is missing or damaged, reading it would run code, or it has no named tensors.
    """
    name = label or str(path)
    beside: dict[str, str] = {}
    if path.is_dir():
        path = folders.weights_in(path)
    if path.name in folders.WEIGHTS and path.is_file():
        beside = folders.settings_beside(path)
    content, metadata = _read(path)
    states = find_states(content)
    if not states:
        raise CheckpointError(f"{path}: {_why_empty(content)}")
    if key is not None:
        try:
            return WeightFile(f"{name}::{key}", pick_state(states, key), beside | metadata)
        except CheckpointError as error:
            raise CheckpointError(f"{name} {error}") from error
    return WeightFile(name, states[default_state(states)], beside | metadata, states)


def read_state_dict(path: Path) -> State:
    """Read the tensors of a safetensors file or of a checkpoint, without running any code in it.

    Args:
        path: The file, or a folder of `save_pretrained`.

    Raises:
        CheckpointError: The file is missing or damaged, or reading it would run code.
    """
    return read_weight_file(path).state


def _read(path: Path) -> tuple[Any, dict[str, str]]:
    """The content of a file, and its metadata."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file{did_you_mean_path(path)}")
    if path.name.endswith(".index.json"):
        shards = [_read(shard) for shard in folders.shards_of(path)]
        return {name: tensor for content, _ in shards for name, tensor in content.items()}, shards[0][1]
    if fault := what_else(path):
        raise CheckpointError(f"{path}: not a readable weights file: {fault}")
    if is_safetensors(path):
        return _read_safetensors(path)
    content = read_torch_file(path)
    return content, _texts(content)


def _read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
        return load_file(path), metadata
    except Exception as error:  # safetensors' own class, and errors from a damaged header
        raise CheckpointError(f"{path}: not a readable weights file: {first_line(error)}") from error


def _texts(content: Any, prefix: str = "") -> dict[str, str]:
    """Numbers and texts beside the tensors, by their paths; for settings, also those one level deeper."""
    if not isinstance(content, Mapping):
        return {}
    found: dict[str, str] = {}
    items = {**content.attributes, **content} if isinstance(content, Inert) else content
    for key, value in items.items():
        if isinstance(value, str | int | float) and len(str(value)) <= LONGEST:
            found[f"{prefix}{key}"] = str(value)
        elif str(key) in SETTINGS[prefix != ""]:
            found |= _texts(value, f"{prefix}{key}.")
        elif key in ("classes", "CLASSES") and isinstance(value, list | tuple):
            found[f"{prefix}{key}"] = few(map(str, value), 1000)
    return found


def _why_empty(content: Any) -> str:
    """Describes the content of a file that has no named tensors."""
    if not isinstance(content, Mapping):
        return f"a weights file holds a mapping of names to tensors, not a {type(content).__name__}"
    keys = [str(key) for key in content]
    if "param_groups" in keys or any(key.lower().startswith("optim") for key in keys):
        return f"holds the state of an optimiser and no weights; keys found: {few(keys, 8)}"
    return f"holds no tensor by name; keys found: {few(keys, 8) if keys else 'none'}"
