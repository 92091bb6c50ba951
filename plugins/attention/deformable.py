"""Deformable convolution, without and with modulation."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.attention.checks import check_multiple, check_odd, check_positive
from foveate.plugins.attention.init import Init, answer_always, starts_as_identity
from foveate.plugins.ops.deformable import Pair, deformable_conv
from foveate.plugins.ops.layout import like_layout
from foveate.plugins.ops.precision import exact_dtype, without_autocast


class DeformableConv(nn.Module):
    """Deformable convolution: at each position every kernel tap is moved by a learned offset.

    The offsets start at 0, which is an ordinary convolution. Sampling is done in float32 or higher precision: in
    bfloat16 an offset of more than two positions has a resolution coarser than a hundredth. The output is that of the
    convolution; it does not gate the input. ONNX export uses DeformConv, which needs opset 19 or later; tested with
    onnxscript 0.7 and onnxruntime 1.31.

    Args:
        channels: Number of channels C of the input and of the output.
        kernel: Side of the convolution; odd.
        dilation: Spacing of the kernel taps before the offsets are added.
        bias: Whether the convolution has a bias.
        modulated: Whether each sample is also multiplied by a sigmoid weight, which starts at 0.5 (version 2).
        offset_lr_multiplier: Learning rate of the convolutions that give offsets and modulation, as a multiple of that
            of the block. At the full rate offsets can leave the feature map early in training; there the samples are
            0 and have no gradient, so the offsets do not return. Version 2 of the paper has 0.1, version 1 has 1.
        init: `identity` starts with a convolution that copies its input.

    Source:
        Dai et al. 2017, section 2.1 (arXiv:1703.06211); Zhu et al. 2018, section 3.2 (arXiv:1811.11168).
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel: int = 3,
        dilation: int = 1,
        bias: bool = True,
        modulated: bool = False,
        offset_lr_multiplier: float = 0.1,
        init: Init = "default",
    ) -> None:
        super().__init__()
        check_odd("deformable: kernel", kernel)
        check_positive("deformable: dilation", dilation)
        check_multiple("deformable: offset_lr_multiplier", offset_lr_multiplier)
        slower = ("offset", "modulation") if modulated else ("offset",)
        self.lr_multipliers = dict.fromkeys(slower, offset_lr_multiplier)
        padding, taps = dilation * (kernel // 2), kernel**2
        self.conv = nn.Conv2d(channels, channels, kernel, padding=padding, dilation=dilation, bias=bias)
        self.offset = nn.Conv2d(channels, 2 * taps, kernel, padding=padding, dilation=dilation)
        self.modulation = nn.Conv2d(channels, taps, kernel, padding=padding, dilation=dilation) if modulated else None
        answer_always(self.offset, 0)
        if self.modulation is not None:
            answer_always(self.modulation, 0)
        if starts_as_identity(init):
            self._copy_input(2.0 if modulated else 1.0)  # modulation starts at 0.5

    def _copy_input(self, scale: float) -> None:
        nn.init.dirac_(self.conv.weight)
        with torch.no_grad():
            self.conv.weight.mul_(scale)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        offset = self.offset(x)
        modulation = None if self.modulation is None else self.modulation(x).sigmoid()
        return like_layout(self._sample(x, offset, modulation).to(x.dtype), x)

    def _sample(self, x: Tensor, offset: Tensor, modulation: Tensor | None) -> Tensor:
        exact = exact_dtype(x.dtype)
        bias = self.conv.bias
        with without_autocast(x.device):
            return deformable_conv(
                x.to(exact),
                offset.to(exact),
                self.conv.weight.to(exact),
                None if bias is None else bias.to(exact),
                None if modulation is None else modulation.to(exact),
                cast(Pair, self.conv.padding),
                cast(Pair, self.conv.dilation),
            )


def modulated_deformable_conv(
    channels: int,
    *,
    kernel: int = 3,
    dilation: int = 1,
    bias: bool = True,
    offset_lr_multiplier: float = 0.1,
    init: Init = "default",
) -> DeformableConv:
    """Modulated deformable convolution (version 2); see DeformableConv.

    Args:
        channels: Number of channels C of the input and of the output.
        kernel: Side of the convolution; odd.
        dilation: Spacing of the kernel taps before the offsets are added.
        bias: Whether the convolution has a bias.
        offset_lr_multiplier: Learning rate of the convolutions that give offsets and modulation, as a multiple of that
            of the block.
        init: `identity` starts with a convolution that copies its input.
    """
    return DeformableConv(
        channels,
        kernel=kernel,
        dilation=dilation,
        bias=bias,
        modulated=True,
        offset_lr_multiplier=offset_lr_multiplier,
        init=init,
    )
