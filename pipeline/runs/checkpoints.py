"""Reads checkpoints without running code from them, and checks that they fit a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.runs.integrity import fault_of
from foveate.pipeline.runs.store import newest_good

SHOWN = 3
RECIPE_KEY = "foveate_recipe"  # the key of the recipe that the checkpoint was trained with


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a training checkpoint, on the CPU.

    Raises:
        CheckpointError: The file is damaged, is no checkpoint, or would run code when read.
    """
    if fault := fault_of(path):
        raise CheckpointError(f"{path}: {fault}{_instead(path)}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path}: refused: it is no plain checkpoint, reading it may run code") from error
    except Exception as error:  # for a file of another kind, the reader may raise any error
        size = path.stat().st_size if path.is_file() else 0
        raise CheckpointError(f"{path}: damaged or no checkpoint ({size} bytes): {type(error).__name__}") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), Mapping):
        raise CheckpointError(f"{path}: no training checkpoint; for weights alone use --model.weights")
    return content


def _instead(path: Path) -> str:
    """The newest good checkpoint in the same folder, as the end of a sentence."""
    other = newest_good(path.parent, besides=path)
    return "" if other is None else f"; a good one lies beside it: {other}"


def describe_checkpoint(checkpoint: Mapping[str, Any]) -> str:
    """Step, network, task and data of a checkpoint, in words.

    Example:
        >>> describe_checkpoint({"global_step": 500, "hyper_parameters": {"network": "segnext_t"}})
        'step 500, segnext_t'
    """
    settings: Mapping[str, Any] = checkpoint.get("hyper_parameters") or {}
    labels: Mapping[str, Any] = settings.get("labels") or {}
    facts = [f"step {checkpoint.get('global_step', 'unknown')}", str(settings.get("network") or "")]
    if labels:
        task = "segmentation" if "colours" in labels else "classification"
        facts.append(f"{task} of {len(labels.get('names') or ())} classes ({labels.get('name')})")
    return ", ".join(filter(None, facts))


def load_into(model: nn.Module, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Copy a checkpoint's weights into a model, after `check_fits`."""
    check_fits(model, checkpoint, path)
    model.load_state_dict(checkpoint["state_dict"])


def check_fits(model: nn.Module, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Compare the names and shapes of a checkpoint's tensors with those of a model.

    Raises:
        CheckpointError: They differ; the message names some of the differences.
    """
    wanted: Mapping[str, Tensor] = model.state_dict()
    found: Mapping[str, Tensor] = checkpoint["state_dict"]
    shapes = [
        f"{name} is {list(found[name].shape)} in the file, {list(wanted[name].shape)} in the model"
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    ]
    missing = [f"{name} is not in the file" for name in wanted if name not in found]
    extra = [f"{name} is not in the model" for name in found if name not in wanted]
    differences = sorted(shapes) + missing[:SHOWN] + extra[:SHOWN]
    if differences:
        count = len(shapes) + len(missing) + len(extra)
        raise CheckpointError(
            f"{path}: of another model, {count} tensors differ: {'; '.join(differences[:SHOWN])}. "
            "Use the recipe beside it, without --config, or change network, attention or data to match"
        )
