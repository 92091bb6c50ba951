"""An exported file as a network: it gets images of the sizes that it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from foveate.pipeline.inference import InferenceConfig

LABELS = "labels"  # what a file gives that holds the argmax
CERTAIN = 100.0  # logit of the class that such a file gives; that of all others is 0


@runtime_checkable
class Exported(Protocol):
    """What `open_exported` gives."""

    contract: Any

    def __call__(self, image: Any) -> NDArray[Any]:
        """Logits or labels of images (B, C, H, W) in bytes."""


class ExportedNetwork:
    """From images (B, C, H, W) in 0-255 to logits (B, K, H, W) or (B, K).

    Images that are smaller than the file's fixed size, or no multiple of what it asks for, are padded with the mean of
    its training images, which is 0 after the normalisation inside.

    Args:
        model: The opened file.
    """

    def __init__(self, model: Exported) -> None:
        self.model, self.contract = model, model.contract
        self.segments = self.contract.kind == "segmentation"

    def __call__(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K ..."]:
        height, width = image.shape[2:]
        pixels = image.round().clamp(0, 255).to(torch.uint8).cpu()
        found = torch.from_numpy(np.asarray(self.model(self._padded(pixels))))
        scores = self._scores(found)
        return scores[..., :height, :width] if self.segments else scores

    def _padded(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        step = self.contract.multiple_of
        tall, wide = self.contract.size or (-(-height // step) * step, -(-width // step) * step)
        if (tall, wide) == (height, width) or not self.segments:
            return pixels
        mean = torch.tensor(self.contract.mean).round().clamp(0, 255).to(torch.uint8)
        out = mean[None, :, None, None].repeat(len(pixels), 1, tall, wide)
        out[..., :height, :width] = pixels
        return out

    def _scores(self, found: Tensor) -> Tensor:
        if self.contract.output != LABELS:
            return found.float()
        last = F.one_hot(found.long(), len(self.contract.names)).float() * CERTAIN
        return last.movedim(-1, 1)

    def fitted(self, inference: InferenceConfig) -> InferenceConfig:
        """How images are put through the file: in windows of its size if it takes one size alone.

        Args:
            inference: The setting of the training.
        """
        size = self.contract.size
        if size is None or (inference.mode == "slide" and inference.size == tuple(size)):
            return inference
        stride = max(1, size[0] * 3 // 4), max(1, size[1] * 3 // 4)
        return replace(inference, mode="slide", size=tuple(size), stride=stride)
