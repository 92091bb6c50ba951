"""Evaluation settings: how images are read and resized, as the checkpoint has them and not as a named recipe does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foveate.pipeline.runs.checkpoints import RECIPE_KEY
from foveate.pipeline.runs.data_modules import SETTINGS, evaluation_options
from foveate.pipeline.runs.directories import RECIPE
from foveate.pipeline.runs.recipes import read_recipe
from foveate.pipeline.training.flags import take_option
from foveate.pipeline.training.request import Request


def evaluation_settings(request: Request, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Size, crop, bands, range and the like of the recipe of a checkpoint, with defaults filled in.

    Args:
        request: The parsed command line; its recipe is used if the checkpoint has none and lies in no run.
        checkpoint: The content of a checkpoint; empty if published weights are used.
    """
    inside = checkpoint.get(RECIPE_KEY)
    if isinstance(inside, dict):
        return evaluation_options(inside.get("data") or {})
    if checkpoint and request.run is not None and (request.run / RECIPE).is_file():
        return evaluation_options(read_recipe(request.run / RECIPE).get("data") or {})
    return evaluation_options(request.recipe.get("data") or {})


def evaluate_as_trained(request: Request, checkpoint: Mapping[str, Any]) -> tuple[Request, str]:
    """The request with the checkpoint's evaluation settings in its recipe's data; flags still override them.

    Args:
        request: The parsed command line.
        checkpoint: The content of a checkpoint.

    Returns:
        The request, and one line on what differs from the named recipe, empty if nothing does.
    """
    data = request.recipe.get("data") or {}
    named = evaluation_options(data)
    settings = {key: value for key, value in evaluation_settings(request, checkpoint).items() if key in named}
    flags = {key for key in SETTINGS if take_option(request.flags, f"--data.{key}", f"--data.init_args.{key}")[0]}
    differ = [key for key, value in settings.items() if value != named[key] and key not in flags]
    if not differ:
        return request, ""
    changes = ", ".join(f"{key} {settings[key]}, not {named[key]}" for key in differ)
    note = f"evaluated as trained: {changes} (--data.{differ[0]} changes it)"
    arguments = {**(data.get("init_args") or {}), **{key: settings[key] for key in differ}}
    return replace(request, recipe={**request.recipe, "data": {**data, "init_args": arguments}}), note
