"""Global context."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.ops.precision import exact_dtype, without_autocast


class GlobalContext(nn.Module):
    """Add one global context vector to every position.

    The vector is an average of all positions, weighted by a softmax, passed through two layers. The block starts as
    the identity: the last layer is initialised to 0, as in the authors' code.

    Args:
        channels: Number of channels C of the input and of the output.
        reduction: The hidden layer has C / reduction channels; the default is C / 16, but at least 8.
        init: `default` and `identity` are the same here.

    Source:
        Cao et al. 2019, GCNet, section 3.3 (arXiv:1904.11492). The context is fused by addition.
    """

    def __init__(self, channels: int, *, reduction: int | None = None, init: Init = "default") -> None:
        super().__init__()
        starts_as_identity(init)  # refuses another word
        width = reduced_width(channels, reduction)
        self.mask = nn.Conv2d(channels, 1, 1, bias=False)  # no bias: the softmax would cancel it
        self.fc1 = nn.Conv2d(channels, width, 1)
        self.norm = nn.LayerNorm(width)
        self.act = nn.ReLU()
        self.fc2 = nn.Conv2d(width, channels, 1)
        nn.init.kaiming_normal_(self.mask.weight)
        answer_always(self.fc2, 0)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        hidden = self.fc1(self._summary(x)).permute(0, 2, 3, 1)
        hidden = self.act(self.norm(hidden)).permute(0, 3, 1, 2)
        context: Tensor = self.fc2(hidden)
        return x + context

    def _summary(self, x: Tensor) -> Tensor:
        """The weighted average (B, C, 1, 1), computed in float32: weights of a millionth underflow in float16."""
        logits = self.mask(x).flatten(2)
        with without_autocast(x.device):
            exact = exact_dtype(x.dtype)
            weights = torch.softmax(logits.to(exact), dim=-1)
            summary = x.flatten(2).to(exact) @ weights.mT
        return summary.unsqueeze(3).to(x.dtype)

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The share of each position in the context, times their number, for `foveate explain` (see `Explainable`)."""
        logits = self.mask(x).flatten(2).to(exact_dtype(x.dtype))
        weights = torch.softmax(logits, dim=-1) * logits.shape[2]
        return {"context weights": weights.unflatten(2, x.shape[2:])}
