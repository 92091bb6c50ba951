"""What a predictor needs of a trained model, whatever it is loaded from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from foveate.datasets.augment.classification import ClassifierEvalTransform
from foveate.datasets.classes import ClassSet
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.images import ImagesDataModule
from foveate.datasets.labels import LabelSet
from foveate.datasets.palette import distinct_colours
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.hub import HubModel, from_pretrained, model_of
from foveate.pipeline.inference import InferenceConfig
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.predictor.exported import ExportedNetwork
from foveate.pipeline.provenance import check_providers
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.directories import RECIPE, run_of
from foveate.pipeline.runs.finding import checkpoint_of_run
from foveate.pipeline.runs.recipes import load_yaml
from foveate.pipeline.runs.remembered import recall
from foveate.pipeline.startup import import_named
from foveate.pipeline.task_options import configured
from foveate.pipeline.weights.checkpoint import trained_of
from foveate.plugins.hints import did_you_mean_path
from foveate.plugins.manager import installed_plugins

Kind = Literal["segmentation", "classification"]
CHECKPOINT, HUB_CONFIG = ".ckpt", "config.json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained model with all that its predictions depend on.

    Attributes:
        name: What it was loaded from.
        kind: segmentation or classification.
        labels: The classes.
        inference: How a segmenter is applied to images.
        reader: How a segmenter's images are read.
        transform: How a classifier's images are resized; None for a segmenter.
        channels: Channels of the images that the network takes.
        network: The network, in evaluation mode; None for an exported file.
        normalise: From bytes to its input; None for an exported file, which holds it.
        exported: The exported file; None unless it is an exported file.
    """

    name: str
    kind: Kind
    labels: LabelSet | ClassSet
    inference: InferenceConfig
    reader: ImageReader
    transform: ClassifierEvalTransform | None
    channels: int
    network: nn.Module | None = None
    normalise: Normalise | None = None
    exported: ExportedNetwork | None = None


def open_source(source: str | Path, plugins: Sequence[str] = ()) -> Source:
    """Load a model.

    Args:
        source: A checkpoint, a run directory, a folder or repository of the hub (owner/name), or an exported file.
        plugins: Modules to load first, as --plugins takes them.

    Raises:
        CheckpointError: It does not exist, is damaged, or is none of these.
        ConfigError: A module of `plugins` does not exist.
        PluginError: A plugin that it needs is not installed.
    """
    modules = list(plugins)
    if modules:
        installed_plugins(modules)
    path = Path(source).expanduser()
    if path.is_dir() and not (path / HUB_CONFIG).is_file():
        path = checkpoint_of_run(path)
    if path.is_file() and path.suffix == CHECKPOINT:
        return _from_checkpoint(path.absolute(), modules)
    if path.is_file():
        return _from_exported(path)
    if path.is_dir() or _is_repository(str(source)):
        return _from_model(str(source), from_pretrained(path if path.is_dir() else str(source)))
    hint = did_you_mean_path(source)
    raise CheckpointError(
        f"{source}: no such file or folder{hint}; a predictor takes a checkpoint (.ckpt), a run directory, a folder "
        "or repository of the hub (owner/name), or an exported model"
    )


def _is_repository(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith("/")


def _from_checkpoint(path: Path, modules: Sequence[str]) -> Source:
    run = run_of(path)
    recipe = load_yaml(run / RECIPE) if run else {}
    recalled = recall(recipe, modules)
    if recalled:
        installed_plugins([*modules, *recalled])
    content = read_checkpoint(path)
    import_named()  # recipes name data modules, whose defaults are needed
    check_providers(content)
    return _from_model(str(path), model_of(trained_of(content, path, recipe)))


def _from_model(name: str, model: HubModel) -> Source:
    kind: Kind = "segmentation" if is_segmenter(model.network_name) else "classification"
    return Source(
        name=name,
        network=model.network.to(memory_format=torch.channels_last).eval(),
        normalise=model.normalise,
        **described(name, kind, model.classes, model.evaluation, channels_in(model.network_options)),
    )


def described(
    name: str, kind: Kind, classes: Sequence[str], evaluation: Mapping[str, Any], channels: int
) -> dict[str, Any]:
    """Fields of a source, from plain values that a file holds.

    Args:
        name: The file, for messages.
        kind: segmentation or classification.
        classes: Names of the classes.
        evaluation: `labels`, `inference` and `images`, see `Trained`; what is missing has its default.
        channels: Channels of the images.

    Raises:
        CheckpointError: The values do not fit.
    """
    try:
        images = ImagesDataModule(**{**(evaluation.get("images") or {}), "channels": channels})
        inference = configured(InferenceConfig, evaluation.get("inference") or {})
        labels = _labels(name, kind, classes, evaluation.get("labels"))
    except (TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(f"{name}: its evaluation settings cannot be used: {error}") from error
    if kind == "classification" and images.transform is None:
        raise CheckpointError(f"{name}: does not say at which size the classifier takes images (image_size)")
    return {
        "kind": kind,
        "labels": labels,
        "inference": inference,
        "reader": images.reader,
        "transform": images.transform,
        "channels": channels,
    }


def _labels(name: str, kind: Kind, classes: Sequence[str], given: Mapping[str, Any] | None) -> LabelSet | ClassSet:
    if kind == "classification":
        return configured(ClassSet, given or {"name": Path(name).name, "names": tuple(classes)})
    made = {
        "name": Path(name).name,
        "names": tuple(classes),
        "colours": tuple(distinct_colours(len(classes))),
        "ids": tuple(range(len(classes))),
    }
    return configured(LabelSet, given or made)


def _from_exported(path: Path) -> Source:
    from foveate.pipeline.export.runtime import open_exported

    network = ExportedNetwork(open_exported(path))
    contract = network.contract
    fields = described(str(path), contract.kind, contract.names, _evaluation_of(contract), contract.channels)
    return Source(name=str(path), exported=network, **{**fields, "inference": network.fitted(fields["inference"])})


def _evaluation_of(contract: Any) -> dict[str, Any]:
    """The settings of an exported file, with its classes if it does not hold the whole label set."""
    settings = dict(contract.settings)
    if contract.kind == "segmentation" and not settings.get("labels") and contract.colours:
        names = {"names": contract.names, "colours": contract.colours, "ids": contract.ids}
        settings["labels"] = {"name": contract.network, **names}
    return settings
