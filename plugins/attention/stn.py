"""Spatial transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_multiple, check_positive
from foveate.plugins.attention.init import Init, starts_as_identity
from foveate.plugins.ops.layout import like_layout
from foveate.plugins.ops.precision import exact_dtype, without_autocast
from foveate.plugins.ops.sampling import GridAverage, affine_grid

SMALL = 2  # pixels; of a feature map of this side the second convolution sees a single pixel
GRID = 4  # the localisation network pools its features to 4 x 4


class SpatialTransformer(nn.Module):
    """Resample the feature map with an affine transform that a small network predicts for each sample.

    The block starts as the identity: the network's last layer has weights 0 and the identity transform as its bias.
    Positions sampled from outside the feature map are 0. Use it in the slot `input` of a classifier: in a segmenter it
    would move features away from their labels.

    Args:
        channels: Number of channels C of the feature map or image, and of the output.
        width: Number of channels of the localisation network's two convolutions.
        lr_multiplier: Learning rate of the network that predicts the transform, as a multiple of that of the rest. At
            the full rate the transform can leave the feature map early in training; there the samples are 0 and have
            no gradient, so it does not return.
        init: `default` and `identity` are the same here.

    Source:
        Jaderberg et al. 2015, Spatial Transformer Networks, section 3 (arXiv:1506.02025). Coordinates run from -1 to
        1 between the outer edges of the feature map (`align_corners=False`).
    """

    def __init__(self, channels: int, *, width: int = 16, lr_multiplier: float = 0.1, init: Init = "default") -> None:
        super().__init__()
        starts_as_identity(init)  # refuses another word
        check_positive("stn: width", width)
        check_multiple("stn: lr_multiplier", lr_multiplier)
        self.lr_multipliers = {"localise": lr_multiplier, "theta": lr_multiplier}
        self.localise = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, stride=2, padding=2),
            nn.ReLU(),
            GridAverage(GRID),
            nn.Flatten(),
            nn.Linear(width * GRID**2, 32),
            nn.ReLU(),
        )
        self.theta = nn.Linear(32, 6)
        nn.init.zeros_(self.theta.weight)
        with torch.no_grad():
            self.theta.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        hidden = self._localise(x)
        exact = exact_dtype(x.dtype)  # bfloat16 resolves a coordinate only to 1/256 of the map
        with without_autocast(x.device):
            theta = F.linear(hidden.to(exact), self.theta.weight.to(exact), self.theta.bias.to(exact))
            grid = affine_grid(theta.view(-1, 2, 3), x)
            moved = F.grid_sample(x.to(exact), grid, align_corners=False)
        return like_layout(moved.to(x.dtype), x)

    def _localise(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 32"]:
        hidden: Tensor
        if min(x.shape[2:]) > SMALL:
            hidden = self.localise(x)
        else:  # PyTorch 2.14's gradients of a bfloat16 convolution on one pixel are wrong
            with without_autocast(x.device):
                hidden = self.localise(x.to(self.theta.weight.dtype))
        return hidden
