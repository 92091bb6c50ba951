"""Data sets by name: what plugins offer, as class paths for recipes and as classes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from foveate.plugins.building import load
from foveate.plugins.errors import PluginConfigError, PluginError, PluginLeftOutError
from foveate.plugins.manager import Offer, installed_plugins
from foveate.plugins.records import DataSet

if TYPE_CHECKING:
    import lightning.pytorch as L

SUFFIX = "DataModule"  # of class names, which users may leave out


def offered_data_sets() -> Sequence[Offer[DataSet]]:
    """The data sets of all plugins; ours come first."""
    return installed_plugins().of_kind(DataSet)


def class_path_of(name: str) -> str | None:
    """The class path of a data set; None if no plugin offers it.

    Args:
        name: The name of an offer, such as camvid or distribution:name, or of its class, such as CamVidDataModule.

    Raises:
        PluginError: Several plugins offer it, or one that was left out seems to.
    """
    plugins = installed_plugins()
    with suppress(PluginConfigError):
        return plugins.find(name, DataSet).record.class_path
    paths = [offer.record.class_path for offer in offered_data_sets()]
    found = next((path for path in paths if path.rpartition(".")[2] == name), None)
    if found is None:
        plugins.blame(name, DataSet)
    return found


def blame_left_out(name: str) -> None:
    """Nothing, unless plugins were left out that may offer an unknown data set.

    Args:
        name: Its name, which no plugin offers.

    Raises:
        PluginLeftOutError: Plugins were left out, and no known name is similar (exit code 5).
    """
    plugins = installed_plugins()
    if plugins.left_out:
        try:
            plugins.find(name, DataSet)
        except PluginLeftOutError:
            raise
        except PluginConfigError:  # similar to a known name
            return


def load_data_set(offer: Offer[DataSet]) -> type[L.LightningDataModule]:
    """The class of a data set.

    Args:
        offer: The record and its provider.

    Raises:
        PluginError: It cannot be imported, or is no Lightning data module; the message names data set and provider.
    """
    import lightning.pytorch as L

    kind = load(offer)
    if not (isinstance(kind, type) and issubclass(kind, L.LightningDataModule)):
        raise PluginError(
            f"data set {offer.record.name!r} of {offer.provider} cannot be built: {offer.record.class_path} is no "
            "Lightning data module"
        )
    return kind


def check_data_set(path: str) -> None:
    """Import the class of a data set, so that a fault in it names the plugin; nothing for a class of nobody's offer.

    Args:
        path: Its class path, as a recipe has it.

    Raises:
        PluginError: It cannot be imported, or is no data module.
    """
    for offer in offered_data_sets():
        if offer.record.class_path == path:
            load_data_set(offer)


def name_data(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with the class path of its data set, which may be given by name.

    Args:
        recipe: Its `data` is a name, a mapping with `name` and the data set's options, or as Lightning has it: a
            mapping with `class_path`, where a name may stand, and `init_args`.
    """
    data = recipe.get("data")
    if isinstance(data, str):
        data = {"class_path": data}
    elif isinstance(data, Mapping) and "name" in data and "class_path" not in data:
        data = {"class_path": data["name"], "init_args": {key: data[key] for key in data if key != "name"}}
    if not isinstance(data, Mapping) or not isinstance(data.get("class_path"), str):
        return dict(recipe)
    path = None if "." in data["class_path"] else class_path_of(data["class_path"])
    return {**recipe, "data": {**data, "class_path": path or data["class_path"]}}


def import_ours() -> None:
    """Import the data sets that come with Foveate, whose classes recipes may name without a module."""
    for offer in offered_data_sets():
        module = offer.record.class_path.rpartition(".")[0]
        if module.startswith("foveate."):
            importlib.import_module(module)
    importlib.import_module("foveate.datasets.images")  # what predict reads
