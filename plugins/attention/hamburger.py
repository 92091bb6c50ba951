"""Global context by matrix factorisation."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_positive
from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.init import init_weights
from foveate.plugins.ops.nmf import factorise

TRAIN_STEPS, EVAL_STEPS = 6, 7
EvalBases = Literal["fixed", "random"]


class NMF2d(nn.Module):
    """Replace non-negative features by a low-rank reconstruction (non-negative matrix factorisation).

    In training the bases are initialised at random in every forward pass. In evaluation they start from a buffer that
    is stored with the weights, so that evaluation is deterministic; `random` keeps the published behaviour.

    Args:
        channels: Number of channels D.
        rank: Number of bases R.
        eval_bases: Where the bases start in evaluation: `fixed` (the buffer) or `random`.
    """

    bases: Tensor
    differs_in_training = "random bases, and one update step fewer"

    def __init__(self, channels: int, *, rank: int, eval_bases: EvalBases = "fixed") -> None:
        super().__init__()
        if eval_bases not in ("fixed", "random"):
            raise ValueError(f"eval_bases is 'fixed' or 'random', not {eval_bases!r}")
        self.rank = rank
        self.eval_bases = eval_bases
        start = torch.rand(1, channels, rank, generator=torch.Generator().manual_seed(0))
        self.register_buffer("bases", F.normalize(start, dim=1))

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        batch, channels, height, width = x.shape
        features = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        rebuilt = factorise(features, self._start(batch), steps=TRAIN_STEPS if self.training else EVAL_STEPS)
        return rebuilt.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def _start(self, batch: int) -> Tensor:
        """Initial bases (B, D, R), in float32 whatever the dtype of the weights."""
        if not self.training and self.eval_bases == "fixed":
            return self.bases.float().expand(batch, -1, -1)
        shape = (batch, *self.bases.shape[1:])
        return F.normalize(torch.rand(shape, dtype=torch.float32, device=self.bases.device), dim=1)

    def extra_repr(self) -> str:
        return f"channels={self.bases.shape[1]}, rank={self.rank}, eval_bases={self.eval_bases}"


class Hamburger(nn.Module):
    """Add a low-rank reconstruction of the feature map, fitted to all positions at once.

    The layers are a 1 x 1 convolution and a ReLU, the factorisation, another 1 x 1 convolution and a batch norm. The
    cost is linear in the number of positions.

    Args:
        channels: Number of channels C of the input and of the output.
        rank: Number of bases (64 in the paper, for 512 channels).
        eval_bases: `fixed` makes evaluation deterministic; `random` is as published. In training bases are random.
        init: `identity` starts with the batch norm's scale at 0: nothing is added.

    Source:
        Geng et al. 2021, Is Attention Better Than Matrix Decomposition?, section 2.2 (arXiv:2109.04553). SegNeXt's
        decoder has a variant of its own, which ends with a group norm and a ReLU.
    """

    def __init__(
        self, channels: int, *, rank: int = 64, eval_bases: EvalBases = "fixed", init: Init = "default"
    ) -> None:
        super().__init__()
        check_positive("hamburger: rank", rank)
        self.ham_in = nn.Conv2d(channels, channels, 1)
        self.ham = NMF2d(channels, rank=rank, eval_bases=eval_bases)
        self.ham_out = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.apply(init_weights)
        if starts_as_identity(init):
            answer_always(self.norm, 0)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        context: Tensor = self.ham(F.relu(self.ham_in(x))).to(x.dtype)
        added: Tensor = self.norm(self.ham_out(context))
        return x + added
