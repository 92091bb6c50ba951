"""The network that is measured: that of a recipe, or one given by name; no data set is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.measuring.training_step import Clipping
from foveate.pipeline.mixing import MixingConfig
from foveate.pipeline.models import create_model, is_segmenter
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.normalisation import NormalisationConfig
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.runs.data_modules import known_labels
from foveate.pipeline.runs.recipes import arguments_of, find_recipe, list_recipes, read_recipe
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task import VisionTask
from foveate.pipeline.task_options import configured

USED = (
    "network", "attention", "network_options", "loss",
    "optimizer", "mixing", "normalisation", "activation_checkpointing",
)  # fmt: skip  # the options of a recipe's model that affect the time of a training step
CONFIGS: dict[str, Any] = {"optimizer": OptimizerConfig, "mixing": MixingConfig, "normalisation": NormalisationConfig}
MOST_PIXEL_CLASSES = 250


@dataclass(frozen=True)
class Subject:
    """A network that any process can build from its arguments. Its weights are random, which does not affect speed.

    Attributes:
        name: Name of the recipe or network.
        num_classes: Number of classes.
        arguments: Arguments of its task.
        clipping: How the recipe clips gradients.
    """

    name: str
    num_classes: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    clipping: Clipping = Clipping()  # noqa: RUF009  frozen

    def build(self) -> VisionTask:
        """The task, with placeholder names for the classes."""
        names = tuple(f"class {number}" for number in range(self.num_classes))
        if not is_segmenter(self.arguments["network"]):
            return ClassificationTask(**self.arguments, labels=ClassSet(name="made", names=names))
        colours = tuple((number, number, number) for number in range(self.num_classes))
        ids = tuple(range(self.num_classes))
        return SegmentationTask(
            **self.arguments, labels=LabelSet(name="made", names=names, colours=colours, ids=ids, void_ids=())
        )

    def batch(self, size: tuple[int, int], batch_size: int) -> dict[str, Any]:
        """A batch of random images and random labels."""
        random = torch.Generator().manual_seed(0)
        channels = channels_in(self.arguments.get("network_options"))
        image = torch.randint(256, (batch_size, channels, *size), dtype=torch.uint8, generator=random)
        shape = (batch_size, *size) if is_segmenter(self.arguments["network"]) else (batch_size,)
        labels: Tensor = torch.randint(self.num_classes, shape, generator=random)
        pixels = {"mask": labels.to(torch.uint8)} if len(shape) > 1 else {"label": labels}
        return {"image": image, **pixels, "path": ["made"] * batch_size}


def find_subject(name: str, num_classes: int | None) -> Subject:
    """The network of a recipe, or of that name.

    Raises:
        ConfigError: There is no such recipe or network, or its number of classes is not known without the data.
    """
    if not _is_recipe(name):
        create_model(name, num_classes=1)  # raises for an unknown name, with a suggestion
        return _checked(Subject(name, 19 if num_classes is None else num_classes, {"network": name}))
    file = find_recipe(name)
    recipe = read_recipe(file)
    model = arguments_of(recipe, "model")
    arguments = {key: _typed(key, model[key]) for key in USED if key in model}
    if "network" not in arguments:
        raise ConfigError(f"{file}: model.init_args names no network")
    count = _count_classes(recipe.get("data", {})) if num_classes is None else num_classes
    trainer = recipe.get("trainer") or {}
    clipping = Clipping(trainer.get("gradient_clip_val"), trainer.get("gradient_clip_algorithm") or "norm")
    return _checked(Subject(file.stem, count, arguments, clipping))


def _typed(key: str, value: Any) -> Any:
    return configured(CONFIGS[key], value) if key in CONFIGS and value is not None else value


def _is_recipe(name: str) -> bool:
    from pathlib import Path

    return name in list_recipes() or name.endswith((".yaml", ".yml")) or Path(name).is_file()


def _checked(subject: Subject) -> Subject:
    most = MOST_PIXEL_CLASSES if is_segmenter(subject.arguments["network"]) else 100_000
    if not 1 <= subject.num_classes <= most:
        raise ConfigError(f"--num_classes is 1 to {most} for this network, not {subject.num_classes}")
    return subject


def _count_classes(data: Mapping[str, Any]) -> int:
    """The number of classes of the recipe's data module, if it is known without reading the data."""
    labels = known_labels(data)
    if labels is None:
        short = str(data.get("class_path", "")).rpartition(".")[2]
        raise ConfigError(
            f"unknown number of classes: {short or 'the recipe'} reads it from the data; give --num_classes N"
        )
    return len(labels)
