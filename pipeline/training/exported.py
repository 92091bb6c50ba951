"""An exported model in place of a checkpoint: `validate --model FILE` scores the file itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe, arguments_of
from foveate.pipeline.training.flags import take_option

if TYPE_CHECKING:
    from foveate.pipeline.export.contract import Contract
    from foveate.pipeline.task import VisionTask
    from foveate.pipeline.training.request import Request

OPTION = "--model"
ENDINGS = (".onnx", ".xml", ".pt2", ".torchscript")
SMALLEST = {"segmentation": "mobilenet_v2_035+light_ham", "classification": "mobilenet_v2_035"}
TASKS = {
    "segmentation": "foveate.pipeline.segmentation.SegmentationTask",
    "classification": "foveate.pipeline.classification.ClassificationTask",
}


def take_exported(argv: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The exported model that `--model` names, and the command line without it; `--model` may also name a class.

    Args:
        argv: The command line.
    """
    values, rest = take_option(argv, OPTION)
    files = [value for value in values if value.endswith(ENDINGS)]
    classes = [word for value in values if value not in files for word in (OPTION, value)]
    return (Path(files[-1]).expanduser() if files else None), [*rest, *classes]


def check_alone(model: Path | None, command: str, checkpoint: Sequence[str]) -> None:
    """Check that an exported model is not given together with a checkpoint, and not to be trained.

    Args:
        model: The file.
        command: fit, validate, test or predict.
        checkpoint: The values of --ckpt_path.

    Raises:
        ConfigError: It is.
    """
    if model is not None and command == "fit":
        raise ConfigError(f"{OPTION} {model}: an exported model cannot be trained; give its checkpoint, --ckpt_path")
    if model is not None and checkpoint:
        raise ConfigError(f"either {OPTION} {model} or --ckpt_path {checkpoint[-1]}: which weights?")


def recipe_in(model: Path) -> Recipe:
    """The recipe that an exported model was trained with.

    Args:
        model: The file.

    Raises:
        ConfigError: The file holds none.
    """
    recipe: Recipe = _open(model).contract.recipe
    if not recipe:
        raise ConfigError(f"{model} holds no recipe, since it was not exported from a run: give --config RECIPE")
    return recipe


def stand_in(request: Request) -> Request:
    """The request for an exported model: with a small network in its place, which is built and never run.

    So the plugins that the network needs do not have to be installed.

    Args:
        request: The parsed command line, with the data to evaluate.
    """
    assert request.model is not None
    contract: Contract = _open(request.model).contract
    arguments = {
        **{key: value for key, value in arguments_of(request.recipe, "model").items() if key in ("loss", "metrics")},
        "network": SMALLEST[contract.kind],
        "network_options": {"in_channels": contract.channels} if contract.channels != 3 else None,
        "normalisation": {name: [v / 255 for v in getattr(contract, name)] for name in ("mean", "std")},
    }
    settings = contract.settings
    if contract.kind == "segmentation" and settings.get("inference"):
        arguments["inference"] = settings["inference"]
    if request.command == "predict":
        arguments["labels"] = settings.get("labels")
    recipe = {**request.recipe, "model": {"class_path": TASKS[contract.kind], "init_args": arguments}}
    if request.command == "predict":
        images = {"class_path": "foveate.datasets.images.ImagesDataModule", "init_args": settings.get("images") or {}}
        recipe = {"model": recipe["model"], "data": images}
    return replace(request, recipe=recipe)


def take_exported_model(task: VisionTask, model: Path) -> str:
    """Let a task run an exported model instead of its network.

    Args:
        task: The task.
        model: The file.

    Returns:
        One line on the file.

    Raises:
        ConfigError: The classes of the data are not those of the file.
    """
    from foveate.pipeline.engines.engine import Engine
    from foveate.pipeline.predictor.exported import ExportedNetwork

    network = ExportedNetwork(_open(model))
    contract: Contract = network.contract
    names = tuple(task.labels.names)
    if names != contract.names:
        raise ConfigError(f"{model} knows the classes {_few(contract.names)}, and the data has {_few(names)}")
    if contract.kind == "segmentation":
        task.inference_config = network.fitted(task.inference_config)  # type: ignore[assignment, arg-type]
    normalise = task.normalise
    task.take_engine(Engine(model.suffix[1:], lambda pixels: network(pixels * normalise.std + normalise.mean), False))
    note = "; it gives labels alone, so that its loss and calibration mean nothing" * (contract.output == "labels")
    return f"exported model {model}: {contract.network}, {contract.precision}, takes {contract.sizes}{note}"


def _few(names: Sequence[str]) -> str:
    from foveate.pipeline.text import few

    return f"{few(names)} ({len(names)})"


def _open(model: Path) -> Any:
    from foveate.pipeline.export.runtime import open_exported  # late: needs torch

    return open_exported(model)
