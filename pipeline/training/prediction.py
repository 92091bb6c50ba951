"""Prediction: the recipe of a checkpoint, with a folder of images as its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from foveate.pipeline.callbacks.class_predictions import ClassPredictionWriter
from foveate.pipeline.callbacks.predictions import LABELS, PredictionWriter
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import CheckpointError, UnusableDataError
from foveate.pipeline.files import write_text
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.runs.recipes import arguments_of
from foveate.pipeline.task_options import plain
from foveate.pipeline.text import few
from foveate.pipeline.training.evaluation import evaluation_settings
from foveate.pipeline.training.published import labels_of_weights
from foveate.pipeline.training.request import Request

SHOWN = 20
KEPT = ("accelerator", "precision")  # settings of the recipe's trainer that prediction takes over
IMAGES = "foveate.datasets.images.ImagesDataModule"


def prepare(request: Request, checkpoint: Mapping[str, Any], weights: str | None = None) -> Request:
    """The request with its recipe changed for prediction.

    Images are preprocessed as in evaluation, with the settings of the checkpoint.

    Args:
        request: The parsed command line.
        checkpoint: The content of the checkpoint; empty if published weights are applied.
        weights: Published weights, if given.

    Raises:
        CheckpointError: The checkpoint does not say which classes it predicts.
    """
    model = dict(request.recipe.get("model", {}))
    arguments = {**arguments_of(request.recipe, "model"), "weights": weights}
    if weights is None:
        settings = checkpoint.get("hyper_parameters", {})
        labels = settings.get("labels")
        arguments |= {key: settings[key] for key in ("inference",) if key in settings}
    else:
        labels = plain(asdict(labels_of_weights(request, weights)))
    if not labels:
        raise CheckpointError(f"{request.checkpoint}: does not name its classes; was it written by foveate fit?")
    model["init_args"] = {**arguments, "labels": labels}
    channels = {"channels": channels_in(arguments.get("network_options"))}
    trainer = request.recipe.get("trainer", {})
    recipe = {
        "model": model,
        "data": {"class_path": IMAGES, "init_args": {**evaluation_settings(request, checkpoint), **channels}},
        "trainer": {key: trainer[key] for key in KEPT if key in trainer},
    }
    return replace(request, recipe=recipe)


def write_predictions(
    trainer: L.Trainer, model: L.LightningModule, data: Any, out: Path, *, resume: bool = False
) -> None:
    """Predict every image of `data`, and write each result at once.

    Args:
        trainer: Runs the prediction.
        model: A classification or segmentation task.
        data: An `ImagesDataModule`.
        out: Folder to write to.
        resume: Write label maps only, and leave out images that have one; for segmentation.

    Raises:
        UnusableDataError: Some images could not be read; the results of all others are written.
    """
    data.setup("predict")
    writer: PredictionWriter | ClassPredictionWriter
    if isinstance(model, ClassificationTask):
        writer = ClassPredictionWriter(out, data.folder)
    else:
        writer = PredictionWriter(out, data.folder, data.paths, overlays=not resume)
        if resume:
            labelled = frozenset(path for path in data.paths if (out / LABELS / writer.name_for(path)).is_file())
            if len(labelled) == len(data.paths):
                return
            data.skip = labelled
            data.setup("predict")
    trainer.callbacks.append(writer)  # type: ignore[attr-defined]
    trainer.predict(model, data, return_predictions=False, weights_only=True)
    if resume:
        trainer.strategy.barrier()  # the first process goes on with the label maps of all
    if trainer.is_global_zero:
        print(f"{len(data.paths) - len(writer.faults)} images: {writer.written}", flush=True)
    if writer.faults:
        rank = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        listed = out / f"faults{rank}.txt"
        write_text(listed, "".join(f"{fault}\n" for fault in writer.faults))
        shown = few(writer.faults, SHOWN, "; ")
        raise UnusableDataError(
            f"{len(writer.faults)} images could not be read, the others are written: {shown} (all in {listed})"
        )
