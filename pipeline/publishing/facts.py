"""Gathers what a run and its checkpoint tell of a model that is published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from foveate.pipeline.hub import HubModel, model_of
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.provenance import KEY, check_providers
from foveate.pipeline.publishing.redaction import redact
from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint
from foveate.pipeline.runs.circumstances import read_parts
from foveate.pipeline.runs.directories import RECIPE, run_of
from foveate.pipeline.runs.finding import checkpoint_of_run
from foveate.pipeline.runs.recipes import load_yaml
from foveate.pipeline.runs.remembered import recall
from foveate.pipeline.runs.scores import Evaluation, read_scores
from foveate.pipeline.startup import import_named
from foveate.pipeline.weights.checkpoint import trained_of
from foveate.plugins.manager import installed_plugins

TRAINER = (  # settings of the trainer that decide the training; others are of the machine or of the author
    *("max_steps", "max_epochs", "precision", "accumulate_grad_batches"),
    *("gradient_clip_val", "gradient_clip_algorithm"),
    *("val_check_interval", "check_val_every_n_epoch", "deterministic", "num_nodes", "devices"),
)
PARTS = ("seed_everything", "model", "data")  # of a recipe that are published
LOCAL = ("cache_dir",)  # arguments that are of the machine alone
PARITY = "*parity.json"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a trained model, without secrets and local paths.

    Attributes:
        model: The model.
        step: Optimiser steps of its weights; None if unknown.
        recipe: What was trained: model, data and the trainer's settings that matter.
        circumstances: Versions and machine of the training; empty if unknown.
        providers: Distribution and version of each plugin part.
        scores: Each evaluation of these weights, with its figures.
        parity: What parity.json of each exported file says.
        version: Of foveate.
    """

    model: HubModel
    step: int | None
    recipe: Mapping[str, Any]
    circumstances: Mapping[str, Any]
    providers: Mapping[str, Mapping[str, str]]
    scores: Sequence[tuple[Evaluation, Mapping[str, Any]]]
    parity: Sequence[Mapping[str, Any]]
    version: str

    @property
    def is_segmenter(self) -> bool:
        """Whether each pixel gets a class."""
        return is_segmenter(self.model.network_name)


def gather(source: Path, plugins: Sequence[str] = ()) -> Facts:
    """What is known of a checkpoint.

    Args:
        source: A checkpoint, or a run directory, whose best checkpoint is taken.
        plugins: Modules that it needs, as --plugins takes them.

    Raises:
        CheckpointError: There is none, or it is damaged.
        PluginError: A plugin that it needs is not installed.
    """
    path = (checkpoint_of_run(source) if source.is_dir() else source).absolute()
    content = read_checkpoint(path)
    run = run_of(path)
    recipe = load_yaml(run / RECIPE) if run else {}
    modules = [*plugins, *recall(recipe, list(plugins))]
    if modules:
        installed_plugins(modules)
    import_named()
    check_providers(content)
    parts = read_parts(run) if run else []
    step = content.get("global_step")
    return Facts(
        model=model_of(trained_of(content, path, recipe)),
        step=step if isinstance(step, int) else None,
        recipe=_published(recipe or content.get(RECIPE_KEY) or {}),
        circumstances=redact({key: value for key, value in (parts[-1] if parts else {}).items() if key != "recipe"}),
        providers=redact(content.get(KEY) or {}),
        scores=_scores(run, path, step) if run else (),
        parity=_parity([path.parent, *([run] if run else [])]),
        version=version("foveate"),
    )


def _published(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a recipe that decide the training; loggers, callbacks and folders stay with their author."""
    kept: dict[str, Any] = {key: recipe[key] for key in PARTS if recipe.get(key) is not None}
    trainer = recipe.get("trainer") or {}
    kept["trainer"] = {key: trainer[key] for key in TRAINER if trainer.get(key) is not None}
    found: dict[str, Any] = redact(kept)
    for part in ("model", "data"):
        arguments = (found.get(part) or {}).get("init_args") or {}
        for name in LOCAL:
            arguments.pop(name, None)
    return found


def _scores(run: Path, checkpoint: Path, step: object) -> list[tuple[Evaluation, Mapping[str, Any]]]:
    """The complete evaluations of these weights; those of val first come last, as a reader expects test first."""
    found = []
    for file in sorted(run.glob(f"*-{checkpoint.stem}*.json")):
        read = read_scores(file)
        if read is not None and read[0].step == step and not read[0].partial:
            found.append((read[0], read[1].figures))
    return sorted(found, key=lambda one: (one[0].split != "test", one[0].name))


def _parity(folders: Sequence[Path]) -> list[Mapping[str, Any]]:
    found = []
    for file in sorted(file for folder in folders for file in folder.glob(PARITY)):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            found.append(redact(content))
    return found
