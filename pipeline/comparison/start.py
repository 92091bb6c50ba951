"""The equal start of a comparison: for each block and seed an encoder distilled from one teacher with one budget."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from foveate.pipeline.distillation.images import OpenImages
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.distillation.run import Distilled, Student, distil, hash_of, settings_of
from foveate.pipeline.distillation.teacher import Teacher, find_teacher
from foveate.pipeline.task import VisionTask
from foveate.pipeline.text import duration

FOLDER = "distilled"  # in the folder of the comparison
RESUME = "the same comparison again"


@dataclass(frozen=True)
class DistilledStart:
    """Distils the encoders that the trainings of a comparison start from.

    Attributes:
        lesson: Teacher, images and budget, the same for all blocks.
        open_images: Opens the images.
    """

    lesson: Lesson
    open_images: OpenImages
    _teachers: list[Teacher] = field(default_factory=list, init=False, repr=False, compare=False)

    def as_values(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {one.name: getattr(self.lesson, one.name) for one in fields(Lesson) if one.name != "num_workers"}

    def describe(self, seconds: Iterable[float]) -> str:
        """What the trainings started from, and what that took, in a sentence.

        Args:
            seconds: Time of each distillation.
        """
        lesson, times = self.lesson, [one for one in seconds if not math.isnan(one)]
        teacher = lesson.teacher + (f" with {lesson.teacher_weights}" if lesson.teacher_weights else "")
        took = f", {duration(sum(times))} for {len(times)} encoders" if times else ""
        return (
            f"Start: for each block and seed an encoder distilled from {teacher}, without labels, in {lesson.steps} "
            f"steps of {lesson.batch_size} crops of {lesson.size} pixels of {lesson.data}{took}."
        )

    def prepare(self, task: VisionTask, out: Path, name: str, seed: int) -> Distilled:
        """Distil the encoder of a task, unless the same was done before: the file's name has a hash of all inputs.

        The student starts from the task's initial weights, which blocks with the same seed share.

        Args:
            task: With its initial weights; it is not changed.
            out: Folder of the comparison.
            name: Of the block.
            seed: Decides order and crops.
        """
        lesson, settings = self.lesson, task.hparams
        student = Student(
            copy.deepcopy(task.network.encoder),  # type: ignore[arg-type]
            str(settings["network"]),
            settings["attention"],
            settings["network_options"] or {},
        )
        data = self.open_images(lesson, seed)
        if not self._teachers:
            self._teachers.append(find_teacher(lesson.teacher, lesson.teacher_weights))
        key = hash_of(settings_of(student, self._teachers[0], data, lesson))
        path = out / FOLDER / f"{name}-{seed}-{key}.safetensors"
        return distil(student, self._teachers[0], data, lesson, path, RESUME)
