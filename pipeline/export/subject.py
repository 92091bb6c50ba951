"""The trained model that is exported, and what its contract says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.datasets.palette import distinct_colours
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.export.contract import CLASSIFICATION, SEGMENTATION, Contract
from foveate.pipeline.hub import HubModel, from_pretrained, model_of
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.provenance import KEY as PLUGINS_KEY
from foveate.pipeline.provenance import check_providers, record_providers
from foveate.pipeline.runs.checkpoints import RECIPE_KEY, read_checkpoint
from foveate.pipeline.runs.directories import RECIPE, RUNS, run_of
from foveate.pipeline.runs.finding import checkpoint_of_run, find_checkpoint
from foveate.pipeline.runs.recipes import load_yaml
from foveate.pipeline.runs.remembered import recall
from foveate.pipeline.startup import import_named
from foveate.pipeline.weights.checkpoint import trained_of
from foveate.plugins.manager import installed_plugins

CONFIG = "config.json"  # of a folder that save_pretrained wrote


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A trained model to export.

    Attributes:
        name: The checkpoint or folder.
        model: From bytes to logits, in float32.
        recipe: The recipe of its training; empty if it is not known.
        modules: Modules given with --plugins, and those recorded in the run.
        plugins: Where its parts come from.
        step: Steps of its training, if known.
    """

    name: str
    model: HubModel
    recipe: Mapping[str, Any]
    modules: Sequence[str]
    plugins: Mapping[str, Any]
    step: int | None

    @property
    def kind(self) -> str:
        """segmentation or classification."""
        return SEGMENTATION if is_segmenter(self.model.network_name) else CLASSIFICATION

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return channels_in(self.model.network_options)

    @property
    def data(self) -> Mapping[str, Any]:
        """Class path and arguments of the data that it was trained with."""
        given: Mapping[str, Any] = self.recipe.get("data") or {}
        return given

    def contract(self, *, output: str, precision: str, size: tuple[int, int] | None, licence: str) -> Contract:
        """The contract of a file of this model, before anything of the format is known.

        Args:
            output: logits or labels.
            precision: Of the file.
            size: Height and width of the images; None for any.
            licence: Of the weights.
        """
        labels: Mapping[str, Any] = self.model.evaluation.get("labels") or {}
        count, segments = len(self.model.classes), self.kind == SEGMENTATION
        colours = labels.get("colours") or distinct_colours(count)
        return Contract(
            kind=self.kind,
            output=output,
            names=tuple(self.model.classes),
            colours=tuple((int(r), int(g), int(b)) for r, g, b in colours) if segments else (),
            ids=tuple(map(int, labels.get("ids") or range(count))) if segments else (),
            mean=tuple(self.model.normalise.mean.flatten().tolist()),
            std=tuple(self.model.normalise.std.flatten().tolist()),
            channels=self.channels,
            size=size,
            precision=precision,
            network=self.model.network_name,
            recipe=_without_places(self.recipe),
            settings=self.model.evaluation,
            plugins=dict(self.plugins),
            licence=licence,
            checkpoint={"name": Path(self.name).name, "step": self.step},
        )


def open_subject(source: str, plugins: Sequence[str] = ()) -> Subject:
    """Load the model to export.

    Args:
        source: A checkpoint, best or last (of the newest run), a run directory, or a folder that save_pretrained wrote.
        plugins: Modules to load first, as --plugins takes them.

    Raises:
        CheckpointError: It does not exist, or is damaged.
        PluginError: A plugin that it needs is not installed.
    """
    path = Path(source).expanduser()
    if plugins:
        installed_plugins(list(plugins))
    if path.is_dir() and (path / CONFIG).is_file():
        return _of_folder(path, plugins)
    if path.is_dir():
        path = checkpoint_of_run(path)
    return _of_checkpoint(find_checkpoint(str(path), Path(RUNS), None), list(plugins))


def _of_folder(path: Path, plugins: Sequence[str]) -> Subject:
    import_named()
    model = from_pretrained(path)
    return Subject(name=str(path), model=model, recipe={}, modules=plugins, plugins=_providers(model), step=None)


def _providers(model: HubModel) -> Mapping[str, Any]:
    return record_providers(None, network=model.network_name)


def _of_checkpoint(path: Path, modules: list[str]) -> Subject:
    run = run_of(path)
    recipe = load_yaml(run / RECIPE) if run else {}
    recalled = recall(recipe, modules)
    if recalled:
        modules = [*modules, *recalled]
        installed_plugins(modules)
    content = read_checkpoint(path)
    import_named()
    check_providers(content)
    inside = content.get(RECIPE_KEY)
    model = model_of(trained_of(content, path, recipe))
    if not model.classes:
        raise CheckpointError(f"{path}: does not name its classes; was it written by foveate fit?")
    return Subject(
        name=str(path),
        model=model,
        recipe=inside if isinstance(inside, dict) else recipe,
        modules=modules,
        plugins=content.get(PLUGINS_KEY) or {},
        step=content.get("global_step"),
    )


def _without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Model and data of a recipe, without folders of the machine that trained it."""
    kept = {part: dict(recipe[part]) for part in ("model", "data") if isinstance(recipe.get(part), Mapping)}
    for described in kept.values():
        arguments = dict(described.get("init_args") or {})
        described["init_args"] = {key: value for key, value in arguments.items() if not _is_place(value)}
    return kept


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)
