"""Asks a data module how often each class occurs, and turns the counts into class weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from lightning.fabric.utilities.rank_zero import rank_zero_only

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.datasets.statistics import ClassStatistics
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.losses.class_weights import ABSENT, class_weights_from_counts
from foveate.pipeline.notes import note
from foveate.pipeline.text import few

log = logging.getLogger("foveate")
DIGITS = 6  # significant digits of a weight, in checkpoints, recipes and on the screen alike
SHOWN = 40  # classes in a message


@runtime_checkable
class CountsClasses(Protocol):
    """A data module that says how often each class occurs in its train split; called after `setup("fit")`."""

    def class_statistics(self) -> ClassStatistics:
        """Counts over the whole train split, the same in every process."""


def weigh_classes(methods: Iterable[str], data: object, labels: LabelSet | ClassSet) -> dict[str, list[float]]:
    """The class weights of each method, from the training data; they are printed by the first process.

    Every process computes them from the same counts, and so gets the same.

    Args:
        methods: Names of methods, see `class_weights_from_counts`.
        data: The data module.
        labels: The classes. Of images, each class's frequency is its share of all images.

    Raises:
        ConfigError: The data module counts no classes, or other ones.
        UnusableDataError: Nothing is labelled.
    """
    methods = list(methods)
    found = class_statistics(" and ".join(methods), data, labels)
    around = np.full_like(found.pixels, found.pixels.sum()) if isinstance(labels, ClassSet) else found.image_pixels
    weights = {}
    for method in methods:
        exact = class_weights_from_counts(method, found.pixels, around)
        weights[method] = [float(f"{weight:.{DIGITS}g}") for weight in exact]
        told = f"class weights ({method} of {found.num_images} train images)"
        rank_zero_only(note)(f"{told}: {describe_weights(labels.names, weights[method])}")
    _tell_absent([name for name, count in zip(labels.names, found.pixels, strict=True) if not count])
    return weights


def class_statistics(methods: str, data: object, labels: LabelSet | ClassSet) -> ClassStatistics:
    """The counts of a data module, after a look at their shape.

    Args:
        methods: What asks for them, for messages.
        data: The data module.
        labels: The classes.

    Raises:
        ConfigError: The data module counts no classes, or other ones.
    """
    found = data.class_statistics() if isinstance(data, CountsClasses) else None
    if found is None:
        what = type(data).__name__ if data is not None else "a data loader without a data module"
        raise ConfigError(
            f"class_weights: {methods} needs the number of pixels of each class, which {what} does not count; give "
            f"a list of {len(labels)} numbers, one for each class (class_weights: [1.0, 2.5, ...])"
        )
    if len(found.pixels) != len(labels) or len(found.image_pixels) != len(labels):
        raise ConfigError(
            f"class_weights: {methods}: {type(data).__name__} counts {len(found.pixels)} classes of {len(labels)}"
        )
    return found


def describe_weights(names: Sequence[str], weights: Sequence[float]) -> str:
    """Class weights in a line.

    Args:
        names: Names of the classes.
        weights: Their weights.

    Example:
        >>> describe_weights(["road", "car"], [0.25, 1.75])
        'road 0.25, car 1.75'
    """
    return few([f"{name} {weight:.4g}" for name, weight in zip(names, weights, strict=True)], SHOWN)


def _tell_absent(names: Sequence[str]) -> None:
    if names:
        rank_zero_only(log.warning)(
            "class weights: %s: no pixel in the train split, so the weight %g", few(names, SHOWN), ABSENT
        )
