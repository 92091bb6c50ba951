"""The checker that every other test relies on is at work."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from foveate.datasets.batch import Pick
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.plugins.attention.se import SqueezeExcitation


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="mask"):
        count_confusion(torch.zeros(1, 3, 3, dtype=torch.long), torch.zeros(1, 3, 4, dtype=torch.long), 2)


def test_numbers_of_axes_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="'B C H W'"):
        SqueezeExcitation(4)(torch.rand(4, 4, 4))


def test_plain_types_are_checked() -> None:
    with pytest.raises(TypeError, match="index='first' violates type hint"):
        Pick(index="first")  # type: ignore[arg-type]
