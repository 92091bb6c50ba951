"""Score files of a run: each records what was scored and how; different evaluations have different files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foveate.pipeline.files import write_text
from foveate.pipeline.metrics.report import Report, report_figures
from foveate.pipeline.runs.data_modules import default_arguments
from foveate.pipeline.runs.limits import limits_of
from foveate.pipeline.runs.recipes import Recipe, arguments_of

# Settings for reading and augmenting training samples do not affect scores.
INDIFFERENT = {"batch_size", "total_batch", "eval_batch_size", "num_workers", "worker_timeout", "seed", "sampling"}
INDIFFERENT |= {"max_pixels", "on_damaged"}
KEY = "evaluation"  # the key of the description in a score file


@dataclass(frozen=True)
class Evaluation:
    """What was scored, and how.

    Attributes:
        checkpoint: The file of the weights, relative to the folder of all runs.
        step: Optimiser steps that these weights were trained for.
        split: val or test, as the command says.
        scored_split: The split actually scored: val if a data set has no labelled test split.
        data: The data module's class and the data's folder.
        images: How many images were scored; None where the data does not say how many it has.
        of_images: How many the split has.
        pixels: How many labelled pixels were scored; None for classifiers.
        settings: Engine, precision, inference and limits.
        differences: Further parts of the file's name, after split and checkpoint.
    """

    checkpoint: str
    step: int
    split: str
    scored_split: str
    data: Mapping[str, str]
    images: int | None
    of_images: int | None
    pixels: int | None
    settings: Mapping[str, Any]
    differences: tuple[str, ...] = field(default=(), compare=False)

    @property
    def partial(self) -> bool:
        """Whether a part of the split was left out."""
        return bool(self.settings.get("limits")) and (self.images is None or self.images != self.of_images)

    @property
    def name(self) -> str:
        """Name of the score file, without its ending: split, checkpoint, and what differs from the run's own."""
        return "-".join([self.split, Path(self.checkpoint).stem, *self.differences])

    @property
    def title(self) -> str:
        """One line: split, step and checkpoint."""
        instead = f" (of the {self.scored_split} split)" if self.scored_split != self.split else ""
        return f"{self.split}{instead}{' (part of it)' if self.partial else ''}, step {self.step}, {self.checkpoint}"

    @property
    def note(self) -> str:
        """One line: data, images, pixels and settings."""
        of = f" of {self.of_images}" if self.partial else ""
        seen = [f"{self.images:,}{of} images"] if self.images is not None else []
        seen += [f"{self.pixels:,} labelled pixels"] if self.pixels is not None else []
        where = " ".join(filter(None, (self.data["class"], self.data.get("root", ""))))
        return ", ".join([where, *seen, *_in_words(self.settings)])

    def as_json(self) -> dict[str, Any]:
        """The description that a score file contains."""
        fields = asdict(self)
        fields.pop("differences")
        return {**fields, "partial": self.partial}


def describe_settings(recipe: Recipe, split: str, engine: str = "torch") -> dict[str, Any]:
    """The settings that affect scores, besides weights and data.

    Args:
        recipe: The recipe that was evaluated, with all defaults filled in.
        split: val or test.
        engine: The engine that ran the network.
    """
    trainer = recipe.get("trainer") or {}
    inference = arguments_of(recipe, "model").get("inference") or {}
    settings = {
        "engine": engine,
        "precision": str(trainer.get("precision") or "32-true"),
        "inference": {key: value for key, value in inference.items() if value is not None},
        "limits": limits_of(recipe, split),
    }
    return {key: value for key, value in settings.items() if value not in (None, {})}


def describe_data(recipe: Recipe) -> dict[str, str]:
    """The class of the data module and the data's folder."""
    kind = str((recipe.get("data") or {}).get("class_path", "")).rpartition(".")[2]
    root = arguments_of(recipe, "data").get("root")
    return {"class": kind, **({"root": str(Path(str(root)).expanduser().resolve())} if root else {})}


def tell_apart(recipe: Recipe, own: Recipe, *, split: str = "val", engine: str = "torch") -> list[str]:
    """Parts added to a score file's name if data or settings are not the run's own; empty if they are.

    Args:
        recipe: The recipe that was evaluated.
        own: The run's recipe.
        split: val or test.
        engine: The engine that ran the network.

    Returns:
        The data's folder, the engine if another than torch, `partial` under a limit, and a hash of data and
        settings.

    Example:
        >>> tell_apart({"data": {"init_args": {"root": "/d/rain"}}}, {"data": {"init_args": {"root": "/d/city"}}})[0]
        'rain'
    """
    data = _data(recipe)
    settings, own_settings = describe_settings(recipe, split, engine), describe_settings(own, split)
    own_settings.pop("limits", None)
    if (data, settings) == (_data(own), own_settings):
        return []
    digest = hashlib.sha256(json.dumps([data, settings], sort_keys=True, default=str).encode()).hexdigest()
    place = Path(str(data["data"].get("root") or "data")).name or "data"
    words = [place, engine if engine != "torch" else "", "partial" if "limits" in settings else ""]
    return [*map(_safe, filter(None, words)), digest[:6]]


def write_scores(run: Path, evaluation: Evaluation, report: Report, *, keep: bool = True) -> Path:
    """Write a score file: figures in [0, 1], null if undefined.

    Args:
        run: The run directory.
        evaluation: What was scored.
        report: The scores.
        keep: Rename an existing file with scores of another step, adding its step to the name. A training passes
            False: it replaces the file, as it replaces the checkpoint.
    """
    path = run / f"{evaluation.name}.json"
    before = _read(path)
    step = (before or {}).get(KEY, {}).get("step")
    if keep and before is not None and step != evaluation.step:
        path.replace(path.with_name(f"{path.stem}-step-{'unknown' if step is None else f'{step:06d}'}.json"))
    write_text(path, json.dumps(scores_as_json(evaluation, report), indent=2) + "\n")
    return path


def scores_as_json(evaluation: Evaluation, report: Report) -> dict[str, Any]:
    """What a score file holds: figures in [0, 1], null if undefined.

    Args:
        evaluation: What was scored.
        report: The scores.
    """
    return {KEY: evaluation.as_json(), **report.figures}


def read_scores(path: Path) -> tuple[Evaluation, Report] | None:
    """The scores in a file; None if there is no file, or it does not say what was scored."""
    content = _read(path)
    if content is None or not isinstance(content.get(KEY), dict):
        return None
    fields = {key: value for key, value in content.pop(KEY).items() if key != "partial"}
    try:
        return Evaluation(**fields), report_figures(content)
    except (KeyError, TypeError):  # of another version
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _data(recipe: Recipe) -> dict[str, Any]:
    """The data module's settings, without those that do not affect scores."""
    given = {**default_arguments(recipe.get("data") or {}), **arguments_of(recipe, "data")}
    arguments = {key: value for key, value in given.items() if key not in INDIFFERENT}
    described = describe_data(recipe)
    if "root" in described:
        arguments["root"] = described["root"]
    return {"class": described["class"], "data": arguments}


def _in_words(settings: Mapping[str, Any]) -> list[str]:
    inference = settings.get("inference") or {}
    mode = inference.get("mode")
    windows = (
        f"slide {_size(inference['size'])} stride {_size(inference['stride'])}" if mode == "slide" else "whole images"
    )
    if mode and inference.get("short_side"):
        windows += f", short side {inference['short_side']}"
    windows += _views_in_words(inference) if mode else ""
    limits = [f"{key} {value}" for key, value in settings.get("limits", {}).items()]
    engine = f"engine {settings['engine']}, {settings['precision']}"
    return [engine, *([windows] if mode else []), *limits]


def _views_in_words(inference: Mapping[str, Any]) -> str:
    """How many views are averaged, if not one."""
    from foveate.pipeline.inference.config import InferenceConfig  # late: imports torch

    scales = inference.get("scales")
    config = InferenceConfig(
        protocol=inference.get("protocol") or "single_scale",
        scales=None if scales is None else tuple(map(float, scales)),
        flip=inference.get("flip"),
    )
    used = config.used_scales
    if not config.augments:
        return "" if used == (1.0,) else f", scale {used[0]:g}"
    named = f"{len(used)} scales" if len(used) > 1 else f"scale {used[0]:g}"
    return f", {named}{' and their mirror images' if config.flips else ''} averaged"


def _size(sides: Any) -> str:
    return "x".join(map(str, sides))


def _safe(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in text)
