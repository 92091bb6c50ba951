"""Replays a bundle: the forward and backward pass of the step at which a training ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.divergence.bundle import Bundle
from foveate.pipeline.divergence.naming import all_finite, not_finite_gradient, watching
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.inference import InferenceConfig
from foveate.pipeline.mixing import MixingConfig
from foveate.pipeline.normalisation import NormalisationConfig
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.optimisation.schedules import ScheduleConfig
from foveate.pipeline.randomness import seed_all
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task import VisionTask
from foveate.pipeline.task_options import configured

CONFIGS: dict[str, type[Any]] = {
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "inference": InferenceConfig,
    "mixing": MixingConfig,
    "normalisation": NormalisationConfig,
}
TASKS: dict[str, type[VisionTask]] = {task.__name__: task for task in (SegmentationTask, ClassificationTask)}


@dataclass(frozen=True)
class Replayed:
    """What came out of a replayed step.

    Attributes:
        loss: The loss.
        place: The first place with values that are not finite; None if all are finite.
    """

    loss: float
    place: str | None


def replay(bundle: Bundle, precision: str | None = None) -> Replayed:
    """Run the step of a bundle, on the CPU.

    Args:
        bundle: The step.
        precision: 32-true or bf16-mixed; None takes the training's.

    Raises:
        CheckpointError: The bundle is of a task or a network that is not known here.
    """
    task = rebuild(bundle)
    precision = precision or str(bundle.recipe.get("trainer", {}).get("precision") or "32-true")
    seed_all(*bundle.seeds)
    with watching(task.network) as found:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
            loss: Tensor = task.compute_loss(bundle.batch)  # type: ignore[operator]  # every task has it
        if found:
            return Replayed(loss.item(), found[0].place)
        if not all_finite(loss.detach()):
            return Replayed(loss.item(), "the loss")
        torch.autograd.backward(loss)
    name = not_finite_gradient(task.network)
    return Replayed(loss.item(), None if name is None else f"the gradient of {name}")


def rebuild(bundle: Bundle) -> VisionTask:
    """The task of a bundle with the weights before the step, in training mode.

    Args:
        bundle: The step.

    Raises:
        CheckpointError: It is of a task or a network that is not known here.
    """
    build = TASKS.get(bundle.task)
    if build is None:
        raise CheckpointError(f"a bundle of {bundle.task} cannot be replayed, only of {', '.join(TASKS)}")
    arguments: dict[str, Any] = {**bundle.hparams, "weights": None, "compile": False}
    kinds = {**CONFIGS, "labels": LabelSet if build is SegmentationTask else ClassSet}
    for name, kind in kinds.items():
        if arguments.get(name) is not None:
            arguments[name] = configured(kind, arguments[name])
    task = build(**arguments)
    task.on_load_checkpoint({"hyper_parameters": bundle.hparams})
    try:
        task.load_state_dict(bundle.state)
    except RuntimeError as error:
        raise CheckpointError(f"the bundle's weights do not fit {arguments.get('network')}: {error}") from error
    return task.train()
