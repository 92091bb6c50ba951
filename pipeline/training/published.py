"""Published weights instead of a checkpoint: evaluates or applies a network without training it."""

from __future__ import annotations

import colorsys
import json
from collections import Counter
from typing import Any

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.models import create_model, is_segmenter
from foveate.pipeline.runs.data_modules import known_labels
from foveate.pipeline.runs.recipes import arguments_of
from foveate.pipeline.training.flags import take_option
from foveate.pipeline.training.request import Request
from foveate.pipeline.weights.loading import count_outputs
from foveate.pipeline.weights.reading import WeightFile

FLAGS = ("--model.weights", "--model.init_args.weights")


def published_weights(request: Request) -> str | None:
    """The weights to evaluate or apply: given by a flag, or by the recipe if there is no checkpoint.

    Args:
        request: The parsed command line.

    Raises:
        ConfigError: Both weights and a checkpoint are asked for, or neither.
    """
    flags = take_option(request.flags, *FLAGS)[0]
    if request.checkpoint is not None:
        if flags:
            raise ConfigError(f"either --ckpt_path {request.checkpoint} or --model.weights {flags[-1]}: which weights?")
        return None
    named = flags[-1] if flags else arguments_of(request.recipe, "model").get("weights")
    if not isinstance(named, str):
        raise ConfigError(
            "which weights? give --ckpt_path CHECKPOINT, best or last, or --config RECIPE --model.weights FILE "
            f"(foveate {request.command})"
        )
    return named


def labels_of_weights(request: Request, weights: str) -> LabelSet | ClassSet:
    """The classes of published weights: from the recipe's data, from the file, or without names.

    Args:
        request: The parsed command line.
        weights: See `open_source`.

    Raises:
        CheckpointError: The file has no head for this network.
    """
    if labels := known_labels(request.recipe.get("data") or {}):
        return labels
    network = str(_option(request, "network") or "")
    options = arguments_of(request.recipe, "model").get("network_options") or {}
    file, count = count_outputs(create_model(network, num_classes=1, **options), weights)
    if count is None:
        raise CheckpointError(f"{weights}: holds no classifier for {network}, so there is nothing to predict with")
    names = _names(file, count)
    if not is_segmenter(network):
        return ClassSet(name=weights, names=names)
    ids = tuple(range(count))
    return LabelSet(name=weights, names=names, colours=_colours(count), ids=ids, void_ids=())


def _names(file: WeightFile, count: int) -> tuple[str, ...]:
    """As the file says; ImageNet's for 1000 classes."""
    names: list[str] = []
    told = next((text for key, text in file.metadata.items() if key.rpartition(".")[2].lower() == "classes"), "")
    if told:
        names = json.loads(told) if "foveate" in file.metadata else told.split(", ")
    elif count == 1000:
        from torchvision.models import MobileNet_V2_Weights  # type: ignore[import-untyped]  # imported late: needed only here

        names = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    if len(names) != count:
        return tuple(f"class {number}" for number in range(count))
    twice = {name for name, times in Counter(names).items() if times > 1}  # ImageNet has two cranes
    return tuple(f"{name} ({number})" if name in twice else str(name) for number, name in enumerate(names))


def _colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """Distinct colours: hues spaced by the golden ratio."""
    shades = [colorsys.hsv_to_rgb(number * 0.618 % 1, 0.6 + 0.4 * (number % 2), 0.9) for number in range(count)]
    return tuple((round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in shades)


def _option(request: Request, name: str) -> Any:
    """An argument of the task, given by a flag or the recipe."""
    flags = take_option(request.flags, f"--model.{name}", f"--model.init_args.{name}")[0]
    return flags[-1] if flags else arguments_of(request.recipe, "model").get(name)
