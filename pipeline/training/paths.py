"""Checks that the files and folders of a command line exist, before slow imports."""

from __future__ import annotations

from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from foveate.pipeline.errors import CheckpointError, UnusableDataError
from foveate.pipeline.runs.data_sets import offered_data_sets
from foveate.pipeline.runs.recipes import Recipe, arguments_of, class_of
from foveate.pipeline.training.flags import value_of
from foveate.plugins.hints import did_you_mean_path


def check_paths(recipe: Recipe, flags: Sequence[str], *, predicts: bool) -> None:
    """Check that the data and the weights exist.

    Args:
        recipe: The merged recipes.
        flags: The flags.
        predicts: Whether images are to be labelled, so that the recipe's data is not used.

    Raises:
        UnusableDataError: The folder of the data, or the images, do not exist.
        CheckpointError: The file of weights does not exist.
    """
    images = value_of(flags, "--data.images")
    if predicts and images is not None and not _names_images(images):
        raise UnusableDataError(f"{images}: no such file or folder (--data.images){did_you_mean_path(images)}")
    root = value_of(flags, "--data.root")
    data = (value_of(flags, "--data") or class_of(recipe, "data")).rpartition(".")[2]
    if not predicts and data in _rooted():
        root = root or arguments_of(recipe, "data").get("root")
        if isinstance(root, str) and not _exists(root):
            raise UnusableDataError(f"{root}: no such folder (--data.root){did_you_mean_path(root)}")
    weights = value_of(flags, "--model.weights")
    if weights and _is_path(weights) and not _exists(weights.partition("::")[0]):
        raise CheckpointError(f"{weights}: no such weights file (--model.weights){did_you_mean_path(weights)}")


def _exists(path: str) -> bool:
    return "://" in path or Path(path).expanduser().exists()


def _names_images(images: str) -> bool:
    """Whether images are a file or folder, standard input, or a pattern, which is looked at later."""
    return _exists(images) or images == "-" or has_magic(images)


def _is_path(weights: str) -> bool:
    """Whether weights are named by a path, not as `timm:NAME` or by an address."""
    file = weights.partition("::")[0]
    return ":" not in file and ("/" in file or "." in file)


def _rooted() -> set[str]:
    """Classes of data sets that read a folder, which has to exist."""
    offered = (offer.record for offer in offered_data_sets())
    return {record.class_path.rpartition(".")[2] for record in offered if record.detect is not None}
