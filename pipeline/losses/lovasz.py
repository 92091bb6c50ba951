"""Lovasz-Softmax: a loss that follows the mean intersection over union."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.losses.labelling import WeightedLoss


class Lovasz(WeightedLoss):
    """A convex surrogate of one minus the mean intersection over union, over the classes that are labelled.

    Ignored pixels and images without a labelled pixel are left out; if nothing is labelled, loss and gradient are 0.
    Computed in float32.

    Args:
        num_classes: Number of classes K.
        per_image: Compute the loss of each image separately and average; else the batch is treated as one image.
        class_weights: A weight of at least 0 for each class; the mean over the classes is weighted likewise.

    Raises:
        ValueError: `class_weights` are not one number of at least 0 for each class.

    Source:
        Berman et al. 2018, The Lovasz-Softmax loss (arXiv:1705.08790).
    """

    def __init__(
        self, num_classes: int, *, per_image: bool = False, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__(class_weights, num_classes)
        self.per_image = per_image

    def forward(self, logits: Float[Tensor, "B K H W"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The loss, in float32."""
        probabilities, labels = logits.float().softmax(1).movedim(1, -1), labels.long()
        parts: Iterable[tuple[Tensor, Tensor]] = (
            zip(probabilities, labels, strict=True) if self.per_image else [(probabilities, labels)]
        )
        losses = [loss for part in parts if (loss := self._of_image(*part)) is not None]
        if not losses:
            return probabilities.sum() * 0
        return torch.stack(losses).mean()

    def _of_image(
        self, probabilities: Float[Tensor, "*pixels K"], labels: Int64[Tensor, "*pixels"]
    ) -> Float[Tensor, ""] | None:
        """The mean over the labelled classes; None if no class with a weight above 0 is labelled."""
        valid = labels != IGNORE
        probabilities, labels = probabilities[valid], labels[valid]
        present: list[int] = labels.unique().tolist()  # type: ignore[no-untyped-call]  # torch's own
        weights = [1.0] * len(present) if self.weights is None else self.weights[present].tolist()
        counted = [(number, weight) for number, weight in zip(present, weights, strict=True) if weight]
        if not counted:
            return None
        losses = [weight * _of_class(probabilities[:, number], labels == number) for number, weight in counted]
        total: Tensor = sum(losses[1:], start=losses[0])
        return total / sum(weights)


def _of_class(probability: Float[Tensor, " P"], labelled: Tensor) -> Float[Tensor, ""]:
    """The Lovasz extension of one class's Jaccard loss, at the errors of its probabilities."""
    foreground = labelled.float()
    errors, order = (foreground - probability).abs().sort(descending=True)
    return torch.dot(errors, _slopes(foreground[order]))


def _slopes(foreground: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    """The increase of the Jaccard loss with each further wrong pixel (algorithm 1 of the paper)."""
    positives = foreground.sum()
    intersection = positives - foreground.cumsum(0)
    union = positives + (1 - foreground).cumsum(0)
    loss = 1 - intersection / union
    return loss.diff(prepend=loss.new_zeros(1))
