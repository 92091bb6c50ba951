"""The blocks of MSCAN and VAN, folded: what they compute stays the same."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.fold.affine import Affine, affine_of, fold_after, fold_before
from foveate.pipeline.engines.fold.fused import FusedConv2d, name_activation
from foveate.pipeline.models.mscan import Block
from foveate.plugins.attention.lka import LargeKernelAttention
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.ops.eager import is_eager_on_cpu

BAND_BYTES = 4 << 20  # of hidden features at a time: they stay in the cache; 4 to 9 MB are as fast, 33 MB half


class FoldedMlp(nn.Module):
    """`x + mlp(norm(x))`, with the norm and the scale inside the 1 x 1 convolutions.

    The hidden features are many times as wide, and would go to memory and back four times; so rows are taken in
    bands, with the row above and below that the 3 x 3 looks at.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        fold_before(affine_of(block.norm2), block.mlp.fc1)
        fold_after(block.mlp.fc2, _scaling(block.layer_scale_2))
        self.fc1 = FusedConv2d(block.mlp.fc1)
        self.dwconv = FusedConv2d(block.mlp.dwconv, name_activation(nn.GELU()))
        self.fc2 = FusedConv2d(block.mlp.fc2)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        rows = self._rows(x)
        if not is_eager_on_cpu(x) or x.shape[0] * x.shape[2] <= rows:
            return self.fc2.added(self.dwconv(self.fc1(x)), x)
        out = torch.empty_like(x, dtype=self.fc2.weight.dtype)
        for number in range(x.shape[0]):
            for top in range(0, x.shape[2], rows):
                out[number : number + 1, :, top : top + rows] = self._band(x[number : number + 1], top, top + rows)
        return out

    def _rows(self, x: Tensor) -> int:
        """How many fit into a band."""
        row = x.shape[3] * self.fc1.weight.shape[0] * self.fc1.weight.element_size()
        return max(4, BAND_BYTES // row)

    def _band(self, x: Tensor, top: int, bottom: int) -> Tensor:
        above, bottom = max(top - 1, 0), min(bottom, x.shape[2])
        hidden = self.dwconv(self.fc1(x[:, :, above : bottom + 1]))
        return self.fc2.added(hidden[:, :, top - above : bottom - above], x[:, :, top:bottom])


class FoldedMsca(nn.Module):
    """SegNeXt's gate with its product in the last convolution, and its sum in place."""

    def __init__(self, gate: MultiScaleConvAttention) -> None:
        super().__init__()
        self.near = FusedConv2d(gate.conv0)
        pairs = [(f"conv{number}_1", f"conv{number}_2") for number in range(gate.scales)]
        self.across = nn.ModuleList(FusedConv2d(gate.get_submodule(across)) for across, _ in pairs)  # type: ignore[arg-type]
        self.down = nn.ModuleList(FusedConv2d(gate.get_submodule(down)) for _, down in pairs)  # type: ignore[arg-type]
        self.mix = FusedConv2d(gate.conv3)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        near = self.near(x)
        seen = near.clone() if not len(self.down) else near
        for number, (across, down) in enumerate(zip(self.across, self.down, strict=True)):
            far = down(across(near))
            seen = far.add_(seen) if number == 0 else seen.add_(far)
        return self.mix.times(seen, x)


class FoldedLka(nn.Module):
    """VAN's gate with its product in the last convolution."""

    def __init__(self, gate: LargeKernelAttention) -> None:
        super().__init__()
        self.near, self.far = FusedConv2d(gate.conv0), FusedConv2d(gate.conv_spatial)
        self.mix = FusedConv2d(gate.conv1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.mix.times(self.far(self.near(x)), x)


class FoldedBlock(nn.Module):
    """A block without its norms and scales; any other gate than the two families' stays as it is.

    The shortcut inside the attention starts from the normalised features: of `scale * (proj_2(..) + norm1(x))` the
    second part is one more affine map of `x`, whose shift goes into `proj_2`.
    """

    shortcut: Tensor

    def __init__(self, block: Block) -> None:
        super().__init__()
        norm, scale = affine_of(block.norm1), _scaling(block.layer_scale_1)
        fold_before(norm, block.attn.proj_1)
        fold_after(block.attn.proj_2, scale._replace(shift=scale.scale * norm.shift))
        self.register_buffer("shortcut", (scale.scale * norm.scale).to(block.norm1.weight.dtype)[:, None, None])
        self.proj_1 = FusedConv2d(block.attn.proj_1, name_activation(block.attn.activation))
        self.gate = fold_gate(block.attn.spatial_gating_unit)
        self.proj_2 = FusedConv2d(block.attn.proj_2)
        self.mlp = FoldedMlp(block)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        attended = self.proj_2.added(self.gate(self.proj_1(x)), x)
        out: Tensor = self.mlp(attended.addcmul_(x.to(attended.dtype), self.shortcut.to(attended.dtype)))
        return out


def fold_gate(gate: nn.Module) -> nn.Module:
    """The gate of a family folded; any other as it is."""
    if type(gate) is MultiScaleConvAttention:
        return FoldedMsca(gate)
    return FoldedLka(gate) if type(gate) is LargeKernelAttention else gate


def _scaling(scale: Tensor) -> Affine:
    scale = scale.detach().double()
    return Affine(scale, torch.zeros_like(scale))
