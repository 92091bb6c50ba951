"""Class weights that are computed from how often each class occurs (`class_weights: auto`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.plugins.hints import did_you_mean

AUTO = "auto"  # another name of the first method
METHODS = ("median_frequency", "enet", "inverse_sqrt")
KEY = "class_weights"  # the option of a loss
ABSENT = 1.0  # the weight of a class that does not occur
ENET_OFFSET = 1.02  # of the paper: weights lie between 1.4 and 50.5


def class_weights_from_counts(
    method: str, pixels: Sequence[int] | NDArray[np.int64], image_pixels: Sequence[int] | NDArray[np.int64]
) -> list[float]:
    """A weight for each class, larger for classes that are rarer.

    A class without a pixel gets the weight 1. Cross-entropy never uses it; a loss that also takes outputs of absent
    classes into account (binary_cross_entropy) so learns that they do not occur.

    Args:
        method: `median_frequency` (or `auto`): the median of all frequencies over that of the class, where a frequency
            is a class's share of the pixels of the images that hold it; `enet`: 1 / ln(1.02 + p), where p is the
            class's share of all pixels; `inverse_sqrt`: 1 / sqrt(p), scaled to a mean of 1.
        pixels: Labelled pixels of each class.
        image_pixels: Labelled pixels of the images that hold the class.

    Raises:
        ConfigError: There is no such method.
        UnusableDataError: No pixel is labelled.

    Source:
        Eigen and Fergus 2015 (arXiv:1411.4734); Paszke et al. 2016, ENet (arXiv:1606.02147).

    Example:
        >>> class_weights_from_counts("auto", [80, 10, 10], [100, 100, 50])
        [0.25, 2.0, 1.0]
    """
    method = check_method(method)
    counts, around = np.asarray(pixels, dtype=np.float64), np.asarray(image_pixels, dtype=np.float64)
    present = counts > 0
    if not present.any():
        raise UnusableDataError("class weights: no pixel of the train split is labelled")
    weights = np.full(len(counts), ABSENT)
    weights[present] = _weigh(method, counts[present], around[present])
    return [float(weight) for weight in weights]


def _weigh(method: str, counts: NDArray[np.float64], around: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of the classes that occur."""
    shares = counts / counts.sum()
    if method == "median_frequency":
        frequencies = counts / around
        weights = np.median(frequencies) / frequencies
    elif method == "enet":
        weights = 1 / np.log(ENET_OFFSET + shares)
    else:
        weights = 1 / np.sqrt(shares)
        weights = weights / weights.mean()
    return np.asarray(weights, dtype=np.float64)


def check_method(method: str) -> str:
    """The full name of a method.

    Args:
        method: What a recipe says under `class_weights`, if it is a word.

    Raises:
        ConfigError: There is no such method.

    Example:
        >>> check_method("auto")
        'median_frequency'
    """
    if method in (AUTO, METHODS[0]):
        return METHODS[0]
    if method not in METHODS:
        hint = did_you_mean(method, (AUTO, *METHODS))
        raise ConfigError(
            f"class_weights: no method {method!r}{hint} (accepted: {AUTO}, {', '.join(METHODS)}, or a list of numbers)"
        )
    return method


def methods_in(spec: object) -> list[str]:
    """The methods that a recipe's loss asks for, each once, by their full names.

    Args:
        spec: What a recipe says under `loss`.

    Raises:
        ConfigError: There is no such method.

    Example:
        >>> methods_in(["dice", {"name": "ohem", "class_weights": "auto"}])
        ['median_frequency']
    """
    asked = [one[KEY] for one in _parts(spec) if isinstance(one, Mapping) and isinstance(one.get(KEY), str)]
    return list(dict.fromkeys(map(check_method, asked)))


def weights_in(spec: object) -> list[list[float]]:
    """The lists of class weights in a recipe's loss, each once.

    Args:
        spec: What a recipe says under `loss`.

    Example:
        >>> weights_in([{"name": "dice", "class_weights": [1, 2]}, {"name": "ohem", "class_weights": [1, 2]}])
        [[1, 2]]
    """
    lists = [one[KEY] for one in _parts(spec) if isinstance(one, Mapping) and isinstance(one.get(KEY), list)]
    return [weights for number, weights in enumerate(lists) if weights not in lists[:number]]


def with_numbers(spec: Any, numbers: Mapping[str, Sequence[float]]) -> Any:
    """A recipe's loss with lists of weights in place of methods.

    Args:
        spec: What a recipe says under `loss`.
        numbers: A list of weights for each method, by its full name; other methods stay.

    Example:
        >>> with_numbers({"name": "ohem", "class_weights": "auto"}, {"median_frequency": [1, 2]})
        {'name': 'ohem', 'class_weights': [1, 2]}
    """
    if isinstance(spec, list):
        return [with_numbers(one, numbers) for one in spec]
    if isinstance(spec, Mapping) and isinstance(spec.get(KEY), str):
        return {**spec, KEY: list(numbers.get(check_method(spec[KEY]), [])) or spec[KEY]}
    return spec


def with_stored(spec: Any, stored: object) -> Any:
    """A recipe's loss with the numbers of a checkpoint in place of methods.

    Args:
        spec: What a recipe says under `loss`.
        stored: The same of the checkpoint. Weights are taken from a loss at the same position with the same name.

    Example:
        >>> with_stored({"name": "ohem", "class_weights": "auto"}, {"name": "ohem", "class_weights": [1, 2]})
        {'name': 'ohem', 'class_weights': [1, 2]}
    """
    theirs = _parts(stored)
    mixed = [_take(one, other) for one, other in zip(_parts(spec), theirs, strict=False)] + _parts(spec)[len(theirs) :]
    return mixed if isinstance(spec, list) else mixed[0]


def _take(own: Any, stored: object) -> Any:
    if not isinstance(own, Mapping) or not isinstance(own.get(KEY), str) or not isinstance(stored, Mapping):
        return own
    fits = own.get("name") == stored.get("name") and isinstance(stored.get(KEY), list)
    return {**own, KEY: stored[KEY]} if fits else own


def _parts(spec: object) -> list[Any]:
    return spec if isinstance(spec, list) else [spec]
