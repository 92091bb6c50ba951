"""A data module from what people name: a folder, a recipe, or a data set by name, with flags as in a training."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from jsonargparse import ArgumentParser

from foveate.datasets.errors import DataConfigError, DataError
from foveate.pipeline.command_line import PLUGINS, OneLineErrors, helped_by, shorten
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.class_paths import import_only_ours
from foveate.pipeline.runs.data_sets import (
    blame_left_out,
    check_data_set,
    class_path_of,
    import_ours,
    offered_data_sets,
)
from foveate.pipeline.runs.recipes import arguments_of, find_recipe, list_recipes, read_recipe
from foveate.pipeline.runs.remembered import trusted_modules
from foveate.pipeline.training.flags import take_option
from foveate.plugins.building import load
from foveate.plugins.errors import PluginError
from foveate.plugins.hints import did_you_mean, did_you_mean_path
from foveate.plugins.manager import Offer, diverted, installed_plugins
from foveate.plugins.records import DataSet
from foveate.plugins.selection import split_names

log = logging.getLogger(__name__)
AUTO = "auto"
REMOTE = ("hub", "hub_images", "streaming")  # their root may be a name or an address instead of a folder
GENERAL = ("image_folder", "folder")  # they recognise nearly everything, and are asked last


class _DataParser(OneLineErrors, ArgumentParser):
    """The parser of a data module's flags."""


def is_recipe(target: str) -> bool:
    """Whether people mean a recipe: the name of a shipped one, or a YAML file."""
    return target in list_recipes() or target.endswith((".yaml", ".yml"))


def open_data(target: str, name: str = AUTO, flags: Sequence[str] = (), modules: Sequence[str] = ()) -> Any:
    """The data module that a command is to look at.

    Args:
        target: A folder, or a recipe (its name or file).
        name: Data set in the folder; auto asks each data set whether it recognises the folder.
        flags: Options of the data set, as in a training: `--data.KEY VALUE`.
        modules: The values of --plugins.

    Raises:
        ConfigError: There is no such data set, recipe or option.
        DataError: No data set recognises the folder.
    """
    import_ours()
    if is_recipe(target):
        recipe = read_recipe(find_recipe(target), trusted_modules(modules))
        described = recipe.get("data") or {}
        path, arguments = str(described.get("class_path", "")), arguments_of(recipe, "data")
    else:
        path, arguments = path_of(Path(target).expanduser(), name), {"root": target}
    return build_data(path, arguments, flags, modules)


def build_data(path: str, arguments: dict[str, Any], flags: Sequence[str], modules: Sequence[str]) -> Any:
    """Build a data module as a training does.

    Args:
        path: Its class path.
        arguments: Its arguments.
        flags: Flags, which win over the arguments.
        modules: The values of --plugins.

    Raises:
        ConfigError: An option does not exist, or its value is not accepted.
    """
    check_data_set(path)
    parser = _DataParser(prog="foveate data")
    parser.add_subclass_arguments(L.LightningDataModule, "data")
    described = json.dumps({"class_path": path, "init_args": arguments})
    with import_only_ours(trusted_modules(modules)), helped_by(f"foveate options data.{_short(path)}"):
        try:
            return parser.instantiate(parser.parse_args([f"--data={described}", *flags])).data
        except (TypeError, ValueError, KeyError) as error:
            if hasattr(error, "exit_code"):
                raise
            raise ConfigError(shorten(str(error), parser.known_options(), parser.help_command)) from error


def path_of(root: Path, name: str = AUTO) -> str:
    """The class path of the data set in a folder.

    Args:
        root: The folder.
        name: Name of the data set; auto asks each.

    Raises:
        DataError: There is no such folder, or no data set recognises it.
        DataConfigError: There is no such data set, or the folder is recognised as another one.
    """
    if name in REMOTE and not root.exists():  # the data set itself says what is wrong with a name
        return _named(root, name, None)
    found = detect(root)
    if name != AUTO:
        return _named(root, name, found)
    nested = _nested(root) if found is None or found.name in GENERAL else None
    if nested:
        raise DataError(f"{root} holds no data set, but {nested} does: give that folder")
    if found is not None:
        return found.class_path
    known = ", ".join(offer.record.name for offer in offered_data_sets() if offer.record.detect)
    raise DataError(
        f"{root} is recognised by no data set (asked: {known}); name one with --dataset, and for images and masks in "
        "unusual folders: --dataset folder --data.image_dir DIR --data.mask_dir DIR"
    )


def _nested(root: Path) -> Path | None:
    """A folder in it that a data set recognises for certain."""
    below = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
    return next((folder for folder in below if (one := detect(folder)) and one.name not in GENERAL), None)


def _named(root: Path, name: str, found: DataSet | None) -> str:
    path = class_path_of(name)
    if path is None:
        blame_left_out(name)
        known = [offer.record.name for offer in offered_data_sets()]
        hint = did_you_mean(name, known)
        raise DataConfigError(f"no data set named {name!r}{hint} (known: {', '.join(known)})")
    if found and found.class_path != path and found.name not in GENERAL and not _recognises(root, path):
        raise DataConfigError(f"{root} has the folders of {found.name}, not of {name}: give --dataset {found.name}")
    return path


def detect(root: Path) -> DataSet | None:
    """The first data set that recognises a folder.

    Args:
        root: The folder.

    Raises:
        DataError: There is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder{did_you_mean_path(root)}")
    for offer in sorted(offered_data_sets(), key=lambda offer: _rank(offer.record.name)):
        if _detects(offer, root):
            return offer.record
    return None


def _rank(name: str) -> int:
    return GENERAL.index(name) + 1 if name in GENERAL else 0


def _detects(offer: Offer[DataSet], root: Path) -> bool:
    """Whether a data set recognises a folder. One that fails is named in a warning and left out."""
    if offer.record.detect is None:
        return False
    try:
        with diverted():
            return bool(load(offer, offer.record.detect)(root))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may also call sys.exit
        what = error.__cause__ if isinstance(error, PluginError) and error.__cause__ else error
        log.warning(
            "left out data set %r of %s: it cannot tell whether %s is its own (%s: %s)",
            *(offer.record.name, offer.provider, root, type(what).__name__, " ".join(str(what).split())),
        )
        return False


def _recognises(root: Path, path: str) -> bool:
    """Whether the data set of a class path does not deny that a folder is its own."""
    offer = next((offer for offer in offered_data_sets() if offer.record.class_path == path), None)
    if offer is None or offer.record.detect is None:
        return True
    return _detects(offer, root) or path.startswith("foveate.datasets.folder.")


def _short(path: str) -> str:
    """The name of the data set of a class path; the name of the class if no plugin offers it."""
    named = (offer.record.name for offer in offered_data_sets() if offer.record.class_path == path)
    return next(named, path.rpartition(".")[2])


def name_of(data: object) -> str:
    """The name of a data module's data set; its class's name if no plugin offers it.

    Args:
        data: The data module.
    """
    return _short(f"{type(data).__module__}.{type(data).__qualname__}")


def open_named(target: str, dataset: str, given: Mapping[str, Any], flags: Sequence[str]) -> Any:
    """The data module of a folder or recipe, with the options of a command as flags; says which was found.

    Args:
        target: A folder, or a recipe.
        dataset: Data set in the folder; auto asks each.
        given: Options of the command that are options of the data set; None where they are not given.
        flags: Further options of the data set, and `--plugins MODULES`.
    """
    words = [f"--data.{key}={value}" for key, value in given.items() if value is not None]
    named, flags = take_option(flags, PLUGINS)
    modules = [module for value in named for module in split_names(value)]
    if modules:
        installed_plugins(modules)
    data = open_data(target, dataset, [*words, *flags], modules)
    if dataset == AUTO and not is_recipe(target):
        print(f"{target} has the layout of {name_of(data)}", flush=True)
    return data
