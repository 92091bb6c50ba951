"""Reads files of tensors without running any code in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import first_line

State = dict[str, Tensor]
WRAPPINGS = ("state_dict", "model", "state_dict_ema", "model_state_dict", "model_ema", "network", "net", "params")


@dataclass(frozen=True)
class WeightFile:
    """Tensors by their published names.

    Attributes:
        label: What was asked for: a path, an address, or a name.
        state: The tensors.
        metadata: What a safetensors file, or whoever fetched it, says of them.
    """

    label: str
    state: State
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_weight_file(path: Path, label: str | None = None) -> WeightFile:
    """Tensors and metadata of a file; `label` names it in messages."""
    return WeightFile(label or str(path), read_state_dict(path), _metadata(path))


def read_state_dict(path: Path) -> State:
    """The tensors of a safetensors file or of a checkpoint, read without running any code in it.

    Raises:
        CheckpointError: The file is missing, damaged, or asks for code.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        stored = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path}: {_why_refused(error)}") from error
    except Exception as error:  # bytes that are no pickle fail in any way: IndexError, struct.error, UnicodeDecodeError
        raise CheckpointError(f"{path}: not a readable weights file: {first_line(error)}") from error
    state = {str(name): value for name, value in _innermost(stored, path).items() if isinstance(value, Tensor)}
    if not state:
        raise CheckpointError(f"{path}: holds no tensor by name")
    return state


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _why_refused(error: UnpicklingError) -> str:
    """Torch says much the same of a file that asks for a function as of one that is no pickle at all."""
    wanted = re.search(r"GLOBAL (\S+)", str(error))
    if wanted:
        return (
            f"refused, since reading it would run code: it asks for {wanted[1]}. If you trust whoever made it, read it "
            "elsewhere and save its state_dict alone, as safetensors"
        )
    return "not a readable weights file: neither safetensors nor a PyTorch checkpoint (a web page, or cut short?)"


def _innermost(stored: Any, path: Path) -> Mapping[str, Any]:
    """The state dict inside the usual wrappings."""
    while isinstance(stored, Mapping):
        inner = next((stored[k] for k in WRAPPINGS if isinstance(stored.get(k), Mapping)), None)
        if inner is None:
            return stored
        stored = inner
    raise CheckpointError(f"{path}: a weights file holds a mapping of names to tensors, not a {type(stored).__name__}")
