"""Opens the images of a distillation."""

from __future__ import annotations

from foveate.datasets.unlabelled import UnlabelledDataModule
from foveate.pipeline.distillation.lesson import Lesson


def open_images(lesson: Lesson, seed: int) -> UnlabelledDataModule:
    """Images without labels, as a distillation asks for them.

    Args:
        lesson: Which images, and how large the crops and batches are.
        seed: Decides order and crops.

    Raises:
        DataError: There are no images.
    """
    return UnlabelledDataModule(
        lesson.data, size=lesson.size, batch_size=lesson.batch_size, num_workers=lesson.num_workers, seed=seed
    )
