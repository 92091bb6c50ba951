"""A trained model as a checkpoint of ours stores it: its weights, and what is needed to rebuild the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.weights.normalisation import Statistics, stored_statistics

NETWORK = "network."  # what a task calls its model


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Weights, and the network and data that they belong to.

    Attributes:
        network: Name of the network.
        attention: Blocks in its slots.
        options: Its other options.
        classes: Names of the classes.
        statistics: Mean and standard deviation of the images, per channel in 0-255.
        state: The tensors by our names.
    """

    network: str
    attention: Mapping[str, Any] | None
    options: Mapping[str, Any]
    classes: tuple[str, ...]
    statistics: Statistics
    state: Mapping[str, Tensor]


def read_trained(path: Path) -> Trained:
    """Read a run's checkpoint.

    Args:
        path: The file.

    Raises:
        CheckpointError: It was not written by `foveate fit`, is damaged, or is refused.
    """
    content = read_checkpoint(path)
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
    )


def _classes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Their names, which a segmenter keeps under `labels` and a classifier under `classes`."""
    described = settings.get("labels") or settings.get("classes") or {}
    return tuple(map(str, described.get("names", ())))
