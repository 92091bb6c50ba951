"""Label maps with objects, and logits that are wrong here and there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Draw = Callable[..., tuple[Tensor, Tensor]]


@pytest.fixture
def draw() -> Draw:
    return drawn


def drawn(
    classes: int = 5, size: tuple[int, int] = (37, 53), *, batch: int = 2, void: bool = True, error: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Logits (float32) and labels (uint8) in blobs, with a block of ignored pixels and single ones."""
    coarse = torch.randn(batch, classes, 5, 6) * 3
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
    labels = smooth.argmax(1).to(torch.uint8)
    logits = smooth + error * torch.randn(batch, classes, *size)
    if void:
        labels[:, : size[0] // 5, size[1] // 2 :] = 255
        labels[torch.rand(labels.shape) < 0.02] = 255
    return logits, labels


def one_hot(prediction: list[list[int]] | Tensor, classes: int) -> Tensor:
    """Logits whose largest is that of a predicted map (H, W)."""
    wanted = torch.as_tensor(prediction)
    return torch.nn.functional.one_hot(wanted.long(), classes).permute(2, 0, 1)[None].float() * 9
