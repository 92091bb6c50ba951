"""Reads weights of others into our models, and says what matched."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError

LEAST_COVERAGE = 0.9  # of the encoder's values; under this the file belongs to another model
PREFIXES = ("module.", "model.", "network.", "backbone.", "encoder.")


@dataclass(frozen=True)
class WeightReport:
    """What a file gave to a module.

    Attributes:
        loaded: Names of the tensors that were copied.
        missing: Names in the module that the file lacks, or has in another shape.
        unused: Names in the file that the module lacks.
        coverage: Share of the module's values that were loaded, 0 to 1.
    """

    loaded: list[str]
    missing: list[str]
    unused: list[str]
    coverage: float


def load_encoder_weights(model: nn.Module, source: str | Path) -> WeightReport:
    """Load a published MSCAN into `model.encoder`: the official file, mmseg's, or our own.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe, or of another model.
    """
    encoder = model.encoder
    assert isinstance(encoder, nn.Module)
    found = {_our_name(name): tensor for name, tensor in read_state_dict(Path(source)).items()}
    report = _compare(encoder.state_dict(), found)
    if report.coverage < LEAST_COVERAGE:
        raise CheckpointError(
            f"{source}: fits {report.coverage:.0%} of the encoder ({len(report.missing)} tensors missing, such as "
            f"{report.missing[0]}); is it of another variant, or has the model other attention?"
        )
    encoder.load_state_dict({name: found[name] for name in report.loaded}, strict=False)
    if report.missing:
        warnings.warn(f"{source}: {len(report.missing)} tensors start from nothing: {report.missing[:5]}", stacklevel=2)
    return report


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a checkpoint, read without running any code in it."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        stored = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path}: {_why_refused(error)}") from error
    except Exception as error:  # bytes that are no pickle fail in any way: IndexError, struct.error, UnicodeDecodeError
        raise CheckpointError(f"{path}: not a readable weights file: {_first_line(error)}") from error
    return {name: value for name, value in _innermost(stored).items() if isinstance(value, Tensor)}


def _why_refused(error: UnpicklingError) -> str:
    """Torch says much the same of a file that asks for a function as of one that is no pickle at all."""
    wanted = re.search(r"GLOBAL (\S+)", str(error))
    if wanted:
        return f"refused, since reading it would run code: it asks for {wanted[1]}"
    return "not a readable weights file: neither safetensors nor a PyTorch checkpoint (a web page, or cut short?)"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _innermost(stored: Any) -> Mapping[str, Any]:
    """The state dict inside the usual wrappings."""
    while isinstance(stored, Mapping):
        inner = next(
            (stored[k] for k in ("state_dict", "model", "state_dict_ema") if isinstance(stored.get(k), Mapping)), None
        )
        if inner is None:
            return stored
        stored = inner
    raise CheckpointError(f"a weights file holds a mapping of names to tensors, not a {type(stored).__name__}")


def _our_name(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return re.sub(r"\.mlp\.dwconv\.dwconv\.", ".mlp.dwconv.", name)


def _compare(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> WeightReport:
    loaded = [name for name in wanted if name in found and found[name].shape == wanted[name].shape]
    total = sum(tensor.numel() for tensor in wanted.values())
    return WeightReport(
        loaded=loaded,
        missing=[name for name in wanted if name not in loaded],
        unused=[name for name in found if name not in wanted],
        coverage=sum(wanted[name].numel() for name in loaded) / max(1, total),
    )
