"""Label maps named by a path are read when the command line is, so that a run's recipe holds them itself."""

from __future__ import annotations

import json
from collections.abc import Sequence

from foveate.datasets.label_map import read_label_map
from foveate.pipeline.runs.recipes import Recipe, arguments_of
from foveate.pipeline.training.flags import take_option

KEY = "label_map"
FLAGS = (f"--data.{KEY}", f"--data.init_args.{KEY}")


def inline_label_maps(recipe: Recipe, flags: Sequence[str]) -> tuple[Recipe, list[str]]:
    """A recipe and flags with what label maps hold in place of their paths.

    Args:
        recipe: The merged recipes.
        flags: The flags.

    Raises:
        DataError: A file is missing or cannot be read.
        DataConfigError: It holds no mapping.

    Example:
        >>> inline_label_maps({}, ["--data.label_map", "{rest: keep}", "--data.crop=[8,8]"])[1]
        ['--data.label_map', '{rest: keep}', '--data.crop=[8,8]']
    """
    given = arguments_of(recipe, "data").get(KEY)
    if isinstance(given, str):
        data = {**recipe["data"], "init_args": {**arguments_of(recipe, "data"), KEY: read_label_map(given)}}
        recipe = {**recipe, "data": data}
    values, rest = take_option(flags, *FLAGS)
    if not values or values[-1] == "null" or values[-1].lstrip().startswith("{"):
        return recipe, list(flags)
    return recipe, [*rest, f"{FLAGS[0]}={json.dumps(read_label_map(values[-1]))}"]
