"""A recipe from a config: what is carried over, and as comments what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from foveate.pipeline.mmseg.config_file import read_config
from foveate.pipeline.mmseg.data import carry_data, carry_inference, without_native
from foveate.pipeline.mmseg.learning import carry_optimizer, carry_schedule, carry_trainer
from foveate.pipeline.mmseg.located import Located
from foveate.pipeline.mmseg.losses import carry_loss
from foveate.pipeline.mmseg.modern import modernise
from foveate.pipeline.mmseg.network import BACKBONE, Carried, carry_network
from foveate.pipeline.mmseg.settings import Note, Settings, shorten
from foveate.pipeline.named_weights.table import WEIGHTS, name_of_address

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]  # of ImageNet, the defaults here too
# The names of mmengine's runner that are about a training; any other name of a config is a variable of its own.
MEANT = (
    "model", "data_preprocessor", "train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler", "load_from",
    "randomness", "custom_hooks", "custom_imports", "auto_scale_lr",
)  # fmt: skip
IGNORED_LOADER = ("num_workers", "persistent_workers", "sampler", "pin_memory", "prefetch_factor")


def convert(path: Path, network: str | None = None) -> tuple[str, list[Note]]:
    """The text of a recipe for a config of mmseg, and the notes in it.

    Args:
        path: The config, which is read and not run.
        network: A network to take instead of the config's.

    Raises:
        ConfigError: The config cannot be read, lacks a part of every training, or its network does not exist here.
    """
    settings = Settings(modernise(read_config(path)))
    recipe, usage = _carry(settings, network)
    notes = [*settings.notes, *(_unknown(name, value) for name, value in settings.left())]
    comments = (f"# {' '.join(line.split())}" for line in _head(path, recipe, usage))  # a name may hold line breaks
    return "\n".join([*comments, *_body(recipe), *_tail(path, notes)]) + "\n", notes


def _carry(settings: Settings, given: str | None) -> tuple[dict[str, Any], str]:
    """The recipe, and what its head says of weights."""
    network = carry_network(settings, given)
    module, data = carry_data(settings)
    optimizer = carry_optimizer(settings)
    arguments: dict[str, Any] = {"network": network.name}
    if network.attention:
        arguments["attention"] = network.attention
    if network.options:
        arguments["network_options"] = network.options
    arguments["weights"], usage = _carry_weights(settings, network)
    arguments["loss"] = carry_loss(settings)
    arguments["optimizer"] = optimizer
    arguments["schedule"] = carry_schedule(settings, optimizer["lr"])
    _carry_normalisation(settings, arguments)
    arguments["inference"] = carry_inference(settings, module)
    seed = settings.take("randomness.seed")
    recipe = {
        "seed_everything": 0 if seed is None else seed,
        "model": {"class_path": "SegmentationTask", "init_args": arguments},
        "data": {"class_path": module, "init_args": without_native(module, data)},
        "trainer": carry_trainer(settings),
    }
    _settle(settings)
    return recipe, usage


def _carry_weights(settings: Settings, network: Carried) -> tuple[str | None, str]:
    """Initial weights, and a line on weights for the head of the recipe."""
    sources = ("load_from", f"{BACKBONE}.init_cfg.checkpoint", "model.pretrained")
    given = next((found for found in map(settings.take, sources) if found), None)
    settings.pass_over(f"{BACKBONE}.init_cfg", "model.pretrained", f"{BACKBONE}.pretrained")
    if given is None:
        return None, "The config names no weights."
    if (name := name_of_address(given)) is not None:
        return name, f"Weights: {name} (foveate weights list), which are those of the config."
    if network.same:
        return given, f"Weights: {given}, as in the config."
    encoder = network.name.partition("+")[0]
    if encoder in WEIGHTS:
        return encoder, f"Weights: {encoder} (foveate weights list), in place of the config's {given}."
    return None, f"The config's weights ({given}) are of another network: give --model.weights."


def _carry_normalisation(settings: Settings, arguments: dict[str, Any]) -> None:
    """Mean and standard deviation, in 0-1."""
    part = "data_preprocessor"
    mean, std = settings.take(f"{part}.mean", MEAN), settings.take(f"{part}.std", STD)
    if (mean, std) != (MEAN, STD):
        arguments["normalisation"] = {
            "mean": [round(value / 255, 6) for value in mean],
            "std": [round(value / 255, 6) for value in std],
        }
    settings.expect(f"{part}.bgr_to_rgb", True, "images are RGB here")
    settings.expect(f"{part}.pad_val", 0, "crops are padded with the mean pixel here, which is mmseg's 0")
    settings.expect(f"{part}.seg_pad_val", 255, "padding is ignored in the loss here")
    settings.pass_over(f"{part}.type", f"{part}.size", f"{part}.test_cfg")


def _settle(settings: Settings) -> None:
    """What is said once, or not at all."""
    settings.pass_over(*(name for name in settings.names() if name not in MEANT))
    settings.pass_over("model.train_cfg", "model.data_preprocessor")
    settings.pass_over(*(f"train_dataloader.{name}" for name in IGNORED_LOADER))
    for name in ("num_classes", "align_corners", "type"):
        settings.pass_over(f"model.decode_head.{name}")
    if settings.take("model.decode_head.align_corners"):
        settings.tell("model.decode_head.align_corners", "align_corners = True: features are resized with False here")
    if settings.find("model.auxiliary_head") is not None:
        settings.tell("model.auxiliary_head", "auxiliary_head: networks have one head here, and one loss of it")
    if settings.find("custom_imports") is not None:
        settings.tell("custom_imports", "custom_imports: nothing is imported; write a plugin (docs/plugins.md)")


def _unknown(path: str, value: Located) -> Note:
    return Note(value.place, f"{path} = {shorten(value.plain())}")


def _head(path: Path, recipe: Mapping[str, Any], usage: str) -> Iterator[str]:
    network, module = recipe["model"]["init_args"]["network"], recipe["data"]["class_path"]
    yield f"{network} on {module.removesuffix('DataModule')}, from mmseg's config {path.name}."
    yield f"foveate fit --config THIS_FILE --data.root {recipe['data']['init_args'].get('root', 'FOLDER')}"
    yield usage


def _body(recipe: Mapping[str, Any]) -> Iterator[str]:
    """YAML in the style of the shipped recipes: an option a line."""
    for part, content in recipe.items():
        if not isinstance(content, dict):
            yield f"{part}: {_flow(content)}"
            continue
        yield f"{part}:"
        if "class_path" in content:
            yield f"  class_path: {content['class_path']}"
            yield "  init_args:"
        indent = "    " if "class_path" in content else "  "
        for name, value in content.get("init_args", content).items():
            yield f"{indent}{name}: {_flow(value)}"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _tail(path: Path, notes: list[Note]) -> Iterator[str]:
    if not notes:
        return
    yield ""
    yield "# What this recipe does not say, or says in another way (file and line of the config):"
    for note in sorted(notes, key=lambda one: (one.place.file != path.resolve(), str(one.place.file), one.place.line)):
        yield f"# {note.place.file.name}:{note.place.line}: {' '.join(note.text.split())}"
