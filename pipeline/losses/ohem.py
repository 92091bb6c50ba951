"""Online hard example mining (OHEM): cross-entropy over the pixels that are predicted worst."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from foveate.datasets.labels import IGNORE
from foveate.pipeline.losses.cross_entropy import count_labelled, cross_entropy
from foveate.pipeline.losses.labelling import WeightedLoss, ignored_label
from foveate.pipeline.models.upsampling import upsample
from foveate.plugins.ops.upsampled_loss import upsampled_cross_entropy

THRESHOLD = 0.7  # by default
LEAST_SHARE = 16  # by default at least one in so many labelled pixels is kept


class Ohem(WeightedLoss):
    """Cross-entropy averaged over the hard pixels or images of a batch only.

    Hard is what has a low predicted probability of the true class. Pixels are ranked over the whole batch of a process;
    ignored ones and classes of weight 0 are left out before. If nothing is labelled, loss and gradient are 0.

    Args:
        num_classes: Number of classes K.
        fraction: Share of the labelled pixels that is kept, those with the largest loss: above 0, at most 1.
        threshold: Keep the pixels whose predicted probability of the true class is below this; 0.7 by default. Give
            either this or `fraction`.
        min_kept: With `threshold`, keep at least so many pixels per image (so the number of images times this in a
            batch), the hardest ones; by default a sixteenth of the labelled pixels.
        class_weights: A weight of at least 0 for each class; the average is weighted likewise. Weights above 0 do not
            change which pixels are hard.

    Raises:
        ValueError: An option is out of its range, both `fraction` and `threshold` or `min_kept` are given, or
            `class_weights` are not one for each class.

    Source:
        The idea is from Shrivastava et al. 2016 (arXiv:1604.03540); a threshold and a least number of pixels per image
        as usual in segmentation.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        fraction: float | None = None,
        threshold: float | None = None,
        min_kept: int | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(class_weights, num_classes)
        _check(fraction, threshold, min_kept)
        self.fraction = fraction
        self.threshold = THRESHOLD if threshold is None else threshold
        self.min_kept = min_kept

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."]) -> Float[Tensor, ""]:
        """The loss, in float32; labels are class numbers (B, ...)."""
        hard, ignored = self.hard_labels(logits, labels), ignored_label(labels)
        return cross_entropy(logits, hard, weights=self.weights, ignore_index=ignored)

    def coarse(self, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The loss of logits that are coarser than the labels; they are resized bilinearly to the labels' size.

        Args:
            logits: Logits at the decoder's stride.
            labels: Class numbers, or 255.
        """
        hard = self.hard_labels(upsample(logits.detach().float(), (labels.shape[1], labels.shape[2])), labels)
        total = upsampled_cross_entropy(logits, hard, weights=self.weights, ignore_index=IGNORE)
        return total / count_labelled(hard.long(), self.weights, IGNORE)

    @torch.no_grad()
    def hard_labels(
        self, logits: Float[Tensor, "B K ..."], labels: Integer[Tensor, "B ..."]
    ) -> Integer[Tensor, "B ..."]:
        """The labels of the hard pixels; all others are set to the ignored label.

        Args:
            logits: Scores before the softmax, in any precision.
            labels: Class numbers, or the ignored label.
        """
        target, ignored = labels.long(), ignored_label(labels)
        counted = target != ignored
        if self.weights is not None:
            counted &= self.weights[torch.where(counted, target, 0)] > 0
        each = F.cross_entropy(logits.float(), target, ignore_index=ignored, reduction="none")
        hard = torch.zeros_like(counted)
        hard[counted] = self._is_hard(each[counted], len(labels))
        return torch.where(hard, labels, ignored)

    def _is_hard(self, losses: Float[Tensor, " P"], images: int) -> Bool[Tensor, " P"]:
        """Which of the labelled pixels are kept."""
        if self.fraction is not None:
            return _largest(losses, math.ceil(self.fraction * len(losses)))
        hard = losses > -math.log(self.threshold)
        least = math.ceil(len(losses) / LEAST_SHARE) if self.min_kept is None else images * self.min_kept
        return hard if int(hard.sum()) >= least else _largest(losses, min(least, len(losses)))


def _largest(losses: Float[Tensor, " P"], count: int) -> Bool[Tensor, " P"]:
    """A mask of the `count` largest; of equal ones any."""
    mask = torch.zeros_like(losses, dtype=torch.bool)
    mask[losses.topk(count, sorted=False).indices] = True
    return mask


def _check(fraction: float | None, threshold: float | None, min_kept: int | None) -> None:
    if fraction is not None and (threshold is not None or min_kept is not None):
        raise ValueError("fraction keeps a fixed share of the pixels: give it, or threshold and min_kept, not both")
    if fraction is not None and not 0 < fraction <= 1:
        raise ValueError(f"fraction is above 0 and at most 1, not {fraction}")
    if threshold is not None and not 0 < threshold < 1:
        raise ValueError(f"threshold is a probability above 0 and below 1, not {threshold}")
    if min_kept is not None and (isinstance(min_kept, bool) or not isinstance(min_kept, int) or min_kept < 0):
        raise ValueError(f"min_kept is a whole number of pixels per image of at least 0, not {min_kept}")
