"""The network as it is exported: from bytes to logits at the size of the image, or to class numbers."""

from __future__ import annotations

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from foveate.pipeline.engines.engine import Core
from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.models.upsampling import upsample

DTYPES = {"fp32": torch.float32, "int8": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BYTES = 256


class ExportGraph(nn.Module):
    """Normalisation, the folded network, and the resizing to the size of the image, as one graph.

    Normalisation and resizing are in float32, whatever the precision of the network.

    Args:
        network: A segmenter or classifier; it is copied.
        image: Normalised images (B, C, H, W) of a size that it accepts.
        mean: Mean of each channel, for images in 0-255.
        std: Standard deviation of each channel.
        argmax: Whether the result is the class of each pixel or image instead of logits.
        dtype: Of the network's weights; a factorisation of feature maps stays in float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        image: Tensor,
        mean: Tensor,
        std: Tensor,
        *,
        argmax: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.detach().float().reshape(1, -1, 1, 1))
        self.register_buffer("std", std.detach().float().reshape(1, -1, 1, 1))
        self.core = Core(fold(network, image)).eval()
        _cast(self.core, dtype)
        self.argmax = argmax
        self.dtype = dtype

    def forward(self, image: UInt8[Tensor, "B C H W"]) -> Tensor:
        pixels = (image.float() - self.mean) / self.std
        logits: Tensor = self.core(pixels.to(self.dtype)).float()
        if self.core.coarse:
            logits = upsample(logits, (image.shape[2], image.shape[3]))
        if not self.argmax:
            return logits
        return logits.argmax(1).to(torch.uint8 if logits.shape[1] <= BYTES else torch.int32)


def _cast(core: nn.Module, dtype: torch.dtype) -> None:
    """Replace weights by copies in another dtype; a folded weight may be a view, whose base would keep its own."""
    for module in core.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(weight.detach().to(dtype, copy=True), requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(module, name, buffer.detach().to(dtype, copy=True))
