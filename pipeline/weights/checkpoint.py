"""A trained model from a checkpoint of ours: its weights, and the settings from which the network is rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint
from foveate.pipeline.runs.data_modules import evaluation_options
from foveate.pipeline.weights.normalisation import Statistics, stored_statistics

NETWORK = "network."  # prefix of the model's tensors in a task


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The weights of a run, with the network and data that they belong to.

    Attributes:
        network: Name of the network.
        attention: Blocks in the slots of the network.
        options: Other options of the network.
        classes: Names of the classes.
        statistics: Mean and standard deviation of the images, per channel in 0-255.
        state: The tensors, by our names.
        evaluation: How images are read and evaluated, as plain values: `labels` (the whole label set), `inference` (of
            segmenters) and `images` (arguments of `ImagesDataModule`).
    """

    network: str
    attention: Mapping[str, Any] | None
    options: Mapping[str, Any]
    classes: tuple[str, ...]
    statistics: Statistics
    state: Mapping[str, Tensor]
    evaluation: Mapping[str, Any]


def read_trained(path: Path) -> Trained:
    """Read a run's checkpoint.

    Args:
        path: The file.

    Raises:
        CheckpointError: The file was not written by `foveate fit`, is damaged, or is unsafe.
    """
    return trained_of(read_checkpoint(path), path)


def trained_of(content: Mapping[str, Any], path: Path, recipe: Mapping[str, Any] | None = None) -> Trained:
    """The trained model of a checkpoint that was read.

    Args:
        content: The content of the checkpoint.
        path: Its file, for messages.
        recipe: The recipe of its run, used if the checkpoint has none.

    Raises:
        CheckpointError: The file was not written by `foveate fit`.
    """
    settings = content.get("hyper_parameters")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("network"), str):
        raise CheckpointError(
            f"{path}: does not say which network it is of; only checkpoints of foveate can be exported"
        )
    stored: Mapping[str, Tensor] = content["state_dict"]
    names = {name: name.removeprefix(NETWORK).replace("_orig_mod.", "") for name in stored if name.startswith(NETWORK)}
    return Trained(
        network=settings["network"],
        attention=settings.get("attention"),
        options=settings.get("network_options") or {},
        classes=_classes(settings),
        statistics=stored_statistics(stored),
        state={ours: stored[name].contiguous() for name, ours in names.items()},
        evaluation=_evaluation(settings, content.get(RECIPE_KEY) or recipe or {}),
    )


def _evaluation(settings: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: settings[key] for key in ("labels", "inference") if settings.get(key)}
    return {**kept, "images": evaluation_options(recipe.get("data") or {})}


def _classes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes, which a segmenter stores under `labels` and a classifier under `classes`."""
    described = settings.get("labels") or settings.get("classes") or {}
    return tuple(map(str, described.get("names", ())))
