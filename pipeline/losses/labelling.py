"""Helpers of all losses for labels, class weights and option checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from foveate.datasets.batch import BLANK
from foveate.datasets.labels import IGNORE


def ignored_label(labels: Integer[Tensor, "B ..."]) -> int:
    """The label that a loss leaves out: 255 in label maps, -1 among the classes of images, where 255 may be a class.

    Args:
        labels: Of label maps (B, H, W) or of images (B).
    """
    return IGNORE if labels.ndim > 1 else BLANK


def is_labelled(labels: Integer[Tensor, "B ..."]) -> Bool[Tensor, " B"]:
    """Which samples have a label: label maps with a labelled pixel, and images with a class.

    The others are blanks, which only keep the processes in step, or label maps in which everything is ignored.

    Args:
        labels: Of label maps (B, H, W) or of images (B).

    Example:
        >>> is_labelled(torch.tensor([4, -1, 255])).tolist()
        [True, False, True]
    """
    valid = labels != ignored_label(labels)
    return valid.flatten(1).any(1) if labels.ndim > 1 else valid


def weights_of_classes(class_weights: Sequence[float] | None, num_classes: int) -> Float[Tensor, " K"] | None:
    """The class weights of a recipe as a tensor; None if there are none.

    Args:
        class_weights: A number of at least 0 for each class, or nothing. Integers will do.
        num_classes: Number of classes K.

    Raises:
        ValueError: They are no list of such numbers, or not one for each class.

    Example:
        >>> weights_of_classes([1, 2.5], num_classes=2)
        tensor([1.0000, 2.5000])
    """
    if class_weights is None:
        return None
    given: object = class_weights  # a recipe may hold anything
    if not isinstance(given, list | tuple):
        raise ValueError(f"class_weights is a list of numbers, one for each class, not {class_weights!r}")
    if not class_weights:  # an empty list says the same as none
        return None
    if len(class_weights) != num_classes:
        raise ValueError(f"class_weights holds {len(class_weights)} weights for {num_classes} classes")
    for weight in given:
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise ValueError(f"class_weights are finite numbers of at least 0, not {weight!r}")
    if not any(class_weights):
        raise ValueError("class_weights are all 0; at least one class needs a weight above 0")
    return torch.tensor([float(weight) for weight in class_weights], dtype=torch.float32)


class WeightedLoss(nn.Module):
    """A loss with a weight for each class, in float32 whatever the precision of the network that it is trained in.

    Args:
        class_weights: The weights; None or an empty list for none.
        num_classes: Number of classes.

    Attributes:
        weights: Shape (K,), float32; None without weights.

    Raises:
        ValueError: See `weights_of_classes`.
    """

    weights: Tensor | None

    def __init__(self, class_weights: Sequence[float] | None, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("weights", weights_of_classes(class_weights, num_classes), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> WeightedLoss:
        """Follow a network to another device, and not to another precision: in bfloat16 0.4363 would become 0.4355."""
        exact = self.weights
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if exact is not None and self.weights is not None:
            self.weights = exact.to(self.weights.device)
        return self


def check_share(name: str, value: float) -> float:
    """Refuse a number that is not between 0 and 1.

    Args:
        name: The name of the option.
        value: Its value.

    Raises:
        ValueError: It is out of this range, or NaN.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} lies between 0 and 1, not {value}")
    return value


def check_not_negative(name: str, value: float) -> float:
    """Refuse a number that is negative, infinite or NaN.

    Args:
        name: The name of the option.
        value: Its value.

    Raises:
        ValueError: It is not a finite number of at least 0.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is a finite number of at least 0, not {value}")
    return value
