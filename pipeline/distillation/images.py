"""What a distillation asks of its images; the data module is passed in by the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import UInt8
from torch import Tensor

from foveate.pipeline.distillation.lesson import Lesson


@runtime_checkable
class UnlabelledData(Protocol):
    """A data module of images without labels, such as `UnlabelledDataModule`.

    Attributes:
        paths: The image files.
        seed: Decides order and crops.
        batch_size: Crops per step.
    """

    paths: list[Path]
    seed: int
    batch_size: int

    def first(self, count: int) -> UInt8[Tensor, "N 3 S S"]:
        """Some crops, the same at every call.

        Args:
            count: How many at most.
        """
        ...

    def digest(self) -> str:
        """A hash by which the same images are recognised elsewhere."""
        ...


OpenImages = Callable[[Lesson, int], UnlabelledData]  # with a seed
