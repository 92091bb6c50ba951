"""Prediction: the recipe of a checkpoint, with a folder of images as its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from foveate.pipeline.answering import kept_free, write_figures
from foveate.pipeline.callbacks.class_predictions import ClassPredictionWriter
from foveate.pipeline.callbacks.prediction_files import PredictionFiles
from foveate.pipeline.callbacks.predictions import PredictionWriter
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import CheckpointError, ConfigError, UnusableDataError
from foveate.pipeline.files import write_text
from foveate.pipeline.inference.prediction import Wanted
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.outputs import DEFAULT, SHARES, PredictOptions
from foveate.pipeline.runs.directories import global_rank
from foveate.pipeline.runs.recipes import arguments_of
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task_options import plain
from foveate.pipeline.text import few
from foveate.pipeline.training.evaluation import evaluation_settings
from foveate.pipeline.training.published import labels_of_weights
from foveate.pipeline.training.request import Request
from foveate.pipeline.training.written import Summary
from foveate.plugins.hints import did_you_mean

SHOWN = 20
TABLE = "predictions.csv"
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
    trainer: L.Trainer, model: L.LightningModule, data: Any, out: Path, options: PredictOptions
) -> Summary:
    """Predict every image of `data`, and write each result at once.

    Args:
        trainer: Runs the prediction.
        model: A classification or segmentation task.
        data: An `ImagesDataModule`.
        out: Folder to write to.
        options: What is written, and whether images are left out that have all their files.

    Returns:
        What was written; also of images that could not be read.

    Raises:
        ConfigError: The options are for label maps, and the model classifies images.
    """
    data.setup("predict")
    total = len(data.paths)
    writer = _create_writer(model, data, out, options)
    if isinstance(writer, PredictionWriter) and options.resume:
        data.skip = writer.finished(data.paths)
        data.setup("predict")
    if data.paths:
        trainer.callbacks.append(writer)  # type: ignore[attr-defined]
        trainer.predict(model, data, return_predictions=False, weights_only=True)
        if options.resume:
            trainer.strategy.barrier()  # the first process goes on with the files of all
    elif isinstance(writer, PredictionWriter) and SHARES in writer.files.outputs:
        writer.table().merge()
    classes: Sequence[str] = model.labels.names  # type: ignore[assignment, union-attr]
    summary = Summary(
        out=out,
        kind=str(model.kind),
        classes=tuple(classes),
        outputs=writer.files.outputs if isinstance(writer, PredictionWriter) else (TABLE,),
        images=total,
        left_out=total - len(data.paths),
        faults=tuple(writer.faults),
        told=writer.written,
    )
    if writer.faults:
        rank = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        write_text(out / f"faults{rank}.txt", "".join(f"{fault}\n" for fault in writer.faults))
    return summary


def _create_writer(
    model: L.LightningModule, data: Any, out: Path, options: PredictOptions
) -> PredictionWriter | ClassPredictionWriter:
    if isinstance(model, ClassificationTask):
        if options.given:
            raise ConfigError(f"--outputs and --resume are for label maps; a classifier writes {TABLE}")
        return ClassPredictionWriter(out, data.folder)
    assert isinstance(model, SegmentationTask)
    outputs = options.outputs or DEFAULT
    names = model.labels.names
    unknown = [name for name in options.classes if name not in names]
    if unknown:
        raise ConfigError(
            f"--classes: no class {unknown[0]!r}{did_you_mean(unknown[0], names)} (accepted: {', '.join(names)})"
        )
    chosen = options.classes or names
    if "probabilities" in outputs:
        model.wanted = Wanted("confidence" in outputs, [names.index(name) for name in chosen])
    elif "confidence" in outputs:
        model.wanted = Wanted(confidence=True)
    files = PredictionFiles(out=out, outputs=outputs, labels=model.labels, classes=chosen)
    return PredictionWriter(files, data.folder, data.paths, resume=options.resume)


def tell(summary: Summary, json: str | None) -> None:
    """Print what was written.

    Args:
        summary: What was written.
        json: Where it goes as JSON; see `answer`.

    Raises:
        UnusableDataError: Some images could not be read; the results of all others are written.
    """
    if global_rank() == 0:
        with kept_free(json):
            print(summary.sentence, flush=True)
        if json is not None:
            write_figures(summary.as_json(), json)
    if summary.faults:
        shown = few(summary.faults, SHOWN, "; ")
        raise UnusableDataError(
            f"{len(summary.faults)} images could not be read, the others are written: {shown} (all in "
            f"{next(summary.out.glob('faults*.txt'))})"
        )
