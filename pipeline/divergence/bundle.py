"""A bundle: one file with all that a training step was made of, to replay it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.files import replacing
from foveate.pipeline.identification import what_else
from foveate.pipeline.runs.recipes import Recipe
from foveate.plugins.hints import did_you_mean_path

FOLDER = "bundles"  # in the run directory
KIND = "foveate bundle"


@dataclass(frozen=True)
class Bundle:
    """A training step.

    Attributes:
        message: Why the training ended.
        step: Optimiser steps before it.
        seeds: What the generators were seeded with: seed, epoch, batch, process.
        batch: The batch: tensors, and texts.
        state: Weights and buffers of the task before the step.
        task: Name of the task's class.
        hparams: Its arguments, as plain values.
        recipe: The recipe of the run, with all defaults filled in.
    """

    message: str
    step: int
    seeds: tuple[int, ...]
    batch: dict[str, Any]
    state: dict[str, Tensor]
    task: str
    hparams: dict[str, Any]
    recipe: Recipe


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write a bundle, as a whole or not at all.

    Args:
        path: The file.
        bundle: Its content.

    Raises:
        OSError: It cannot be written.
    """
    with replacing(path) as draft:
        torch.save({"kind": KIND, **{name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}}, draft)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, on the CPU, without running code in it.

    Args:
        path: The file.

    Raises:
        CheckpointError: It is missing, damaged or something else.
    """
    if not path.is_file():
        hint = did_you_mean_path(path)
        raise CheckpointError(
            f"{path}: no such bundle{hint}; a run writes them into its folder {FOLDER}/ when it diverges"
        )
    if fault := what_else(path):
        raise CheckpointError(f"{path}: no bundle: {fault}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # for a file of another kind, the reader may raise any error
        raise CheckpointError(f"{path}: no bundle: {type(error).__name__}") from error
    if not isinstance(content, dict) or content.pop("kind", None) != KIND:
        raise CheckpointError(f"{path}: no bundle; a checkpoint is for --ckpt_path")
    return Bundle(**{**content, "seeds": tuple(content["seeds"])})


def plain_batch(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch with its tensors on the CPU and texts, so that it can be read back without running code.

    Args:
        batch: As a data module yields it.
    """
    return {
        str(name): value.detach().cpu() if isinstance(value, Tensor) else [str(item) for item in value]
        for name, value in batch.items()
    }
