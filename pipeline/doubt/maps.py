"""What a network says of an image, at the size of its label map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from numpy.typing import NDArray
from torch import Tensor

from foveate.datasets.labels import IGNORE

ROWS = 256  # at once: the softmax of a whole image would take as much memory as its logits


@dataclass(frozen=True, eq=False)
class Maps:
    """Label and prediction of each pixel of an image.

    Attributes:
        label: Train ids (H, W), 255 where ignored.
        predicted: The most probable class (H, W).
        of_label: Probability of the label (H, W); 0 where ignored.
        of_predicted: Probability of the predicted class (H, W).
    """

    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    of_label: NDArray[np.float32]
    of_predicted: NDArray[np.float32]

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Which pixels have a label (H, W)."""
        return np.asarray(self.label != IGNORE)

    def cut(self, window: tuple[slice, slice]) -> Maps:
        """A part of the image.

        Args:
            window: Rows and columns.
        """
        return Maps(self.label[window], self.predicted[window], self.of_label[window], self.of_predicted[window])


def maps_of(logits: Float[Tensor, "K H W"], label: Integer[Tensor, "H W"]) -> Maps:
    """Label and prediction of an image.

    Args:
        logits: Of each class, or logarithms of probabilities.
        label: Train ids, 255 where ignored.
    """
    bands = [_band(logits[:, top : top + ROWS], label[top : top + ROWS]) for top in range(0, label.shape[0], ROWS)]
    predicted, of_label, of_predicted = (torch.cat(parts).cpu().numpy() for parts in zip(*bands, strict=True))
    return Maps(label.cpu().numpy().astype(np.int64), predicted, of_label, of_predicted)


def _band(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    ids = label.to(logits.device).long()
    is_labelled = ids != IGNORE
    scores = logits.float()
    whole = scores.logsumexp(0)
    highest, predicted = scores.max(0)
    own = scores.gather(0, torch.where(is_labelled, ids, 0)[None])[0]
    return predicted, torch.where(is_labelled, (own - whole).exp(), 0.0), (highest - whole).exp()
