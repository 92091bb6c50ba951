"""What a training does beside its steps: the callbacks of every run, in the order in which they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, EarlyStopping

from foveate.pipeline.callbacks.checkpoints import RecipeKeeper, create_checkpoints
from foveate.pipeline.callbacks.class_sheets import SampleSheet
from foveate.pipeline.callbacks.exact_resume import ExactResume
from foveate.pipeline.callbacks.extremes import ExtremeImages
from foveate.pipeline.callbacks.final_validation import FinalValidation
from foveate.pipeline.callbacks.finite_guard import FiniteGuard
from foveate.pipeline.callbacks.label_watch import LabelWatch
from foveate.pipeline.callbacks.overlays import SampleOverlays
from foveate.pipeline.callbacks.step_boundary import StepBoundary
from foveate.pipeline.callbacks.step_numbers import StepNumbers
from foveate.pipeline.callbacks.tracer import Tracer
from foveate.pipeline.callbacks.wandb_reporter import LateWandbReporter, WandbReporter
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.task import VisionTask
from foveate.pipeline.training.run_options import check_counts


def create_callbacks(
    run: Path, task: VisionTask, data: Any, recipe: Recipe, asked: Any, *, saves: bool
) -> list[Callback]:
    """The callbacks of a run.

    Args:
        run: The run directory.
        task: The task.
        data: The data module.
        recipe: The recipe, with all defaults filled in.
        asked: The options of the run (see `add_run_options`).
        saves: Whether checkpoints are written.

    Raises:
        ConfigError: An option is out of its range.
    """
    check_counts(asked.skip_nonfinite, asked.early_stop)
    best, last, scores = create_checkpoints(run, task.monitor, recipe) if saves else (None, None, None)
    resume = ExactResume(getattr(data, "seed", None))
    guard = FiniteGuard(run, resume, recipe, skip=asked.skip_nonfinite)
    intervals = asked.checkpoints
    pictures = SampleSheet if isinstance(task, ClassificationTask) else SampleOverlays
    reporter = WandbReporter if best is None else LateWandbReporter
    stopping = None
    if asked.early_stop is not None:
        stopping = EarlyStopping(task.monitor, mode="max", patience=asked.early_stop)
    every = [
        resume,
        StepBoundary(last, every_steps=intervals.every_steps, every_minutes=intervals.every_minutes),
        guard,
        Tracer(run, guard),
        LabelWatch(),
        FinalValidation(),
        StepNumbers(),
        RecipeKeeper(run, recipe),
        pictures(run / "overlays", asked.pictures),
        stopping,
        ExtremeImages(),
        *(best, last, scores),
        reporter(run, best),
    ]
    return [callback for callback in every if callback is not None]
