"""Scores of a part of some images, and what they say: classes, confidences, probabilities."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor

from foveate.pipeline.models.upsampling import classify


class ScoredArea(NamedTuple):
    """A part of the images, and the scores of its pixels.

    Attributes:
        images: Which of the images.
        rows: Its rows.
        columns: Its columns.
        scores: Logits (B, K, rows, columns), or a sum of probabilities.
        views: Of how many views the scores are the summed probabilities; 0 if they are logits.
    """

    images: slice
    rows: slice
    columns: slice
    scores: Tensor
    views: int = 0

    def classes(self) -> Int64[Tensor, "B h w"]:
        """The most likely class of each pixel."""
        return classify(self.scores)

    def best(self) -> tuple[Int64[Tensor, "B h w"], Float[Tensor, "B h w"]]:
        """The most likely class of each pixel, and its probability in float32."""
        highest, classes = self.scores.max(1)
        if self.views:
            return classes, highest.float() / self.views
        differences = self.scores.float() - highest.float()[:, None]
        return classes, differences.exp_().sum(1).reciprocal_()

    def probabilities(self) -> Float[Tensor, "B K h w"]:
        """The probability of each class in each pixel, in float32."""
        scores = self.scores.float()
        return scores / self.views if self.views else scores.softmax(1)
