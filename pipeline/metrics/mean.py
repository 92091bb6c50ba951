"""A mean over a data set."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """The mean of losses, each weighted by its number of images, over all batches and processes.

    torchmetrics' MeanMetric either drops values that are not finite or, told to keep them, forgets the weights (1.9).
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "images"):
            self.add_state(name, torch.zeros((), dtype=torch.double), dist_reduce_fx="sum")

    def update(self, loss: Float[Tensor, ""], images: int) -> None:
        """Add the mean loss of some images.

        Args:
            loss: The mean loss of the images.
            images: The number of images.
        """
        self.total += loss.detach().double() * images
        self.images += images

    def compute(self) -> Float[Tensor, ""]:
        """The mean so far; NaN where nothing was added."""
        return (self.total / self.images).float()
