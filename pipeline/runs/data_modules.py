"""Arguments and classes of a recipe's data module, as far as known without reading the data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as L

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.runs.data_sets import check_data_set

SIZES = ("image_size", "crop_ratio", "interpolation", "eval_views")  # of a classification data module
READING = ("bands", "range", "exif", "max_pixels")  # of a segmentation data module
SETTINGS = (*SIZES, *READING)  # how images are read and resized at evaluation


def known_labels(data: Mapping[str, Any]) -> LabelSet | ClassSet | None:
    """The classes of a recipe's data module, if they are known without reading the data.

    Args:
        data: `class_path` and `init_args`.

    Raises:
        DataError: Its options are wrong, or its label map cannot be read.
    """
    kind = _data_module(data)
    own = getattr(kind, "label_set", None)
    try:
        made: Any = kind(**(data.get("init_args") or {})) if kind is not None else None
        found = made.label_set  # after a label map, or by an option
    except Exception as error:  # raised by data modules that need their files
        if hasattr(error, "exit_code") and isinstance(own, LabelSet):  # a user's mistake, which has a message
            raise
        found = own
    return found if isinstance(found, LabelSet | ClassSet) else None


def spell_out_data(data: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Some of a data module's arguments: as given, else their defaults; those that it does not have are left out.

    Args:
        data: `class_path` and `init_args`.
        keys: The names of the arguments.
    """
    given = data.get("init_args") or {}
    defaults = default_arguments(data)
    return {key: given.get(key, defaults.get(key)) for key in keys if key in given or key in defaults}


def evaluation_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """The evaluation settings among a data module's arguments: size, crop, bands, range and the like.

    Args:
        data: `class_path` and `init_args`.
    """
    return spell_out_data(data, SETTINGS)


def default_arguments(data: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults of a data module's arguments, including those that it passes to its base classes.

    Args:
        data: `class_path` and `init_args`; only the class matters.
    """
    found: dict[str, Any] = {}
    kind = _data_module(data)
    for base in reversed(kind.__mro__ if kind else ()):
        if "__init__" in vars(base):
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            found |= {p.name: p.default for p in parameters if p.default is not p.empty}
    return found


def _data_module(data: Mapping[str, Any]) -> type[L.LightningDataModule] | None:
    """The class that a recipe names, by its short name, among those that were imported or that a plugin offers.

    Raises:
        PluginError: A plugin offers it, and it cannot be imported.
    """
    path = str(data.get("class_path", ""))
    check_data_set(path)
    short = path.rpartition(".")[2]
    waiting: list[type[L.LightningDataModule]] = [L.LightningDataModule]
    while waiting:
        kind = waiting.pop()
        if kind.__name__ == short:
            return kind
        waiting += kind.__subclasses__()
    return None
