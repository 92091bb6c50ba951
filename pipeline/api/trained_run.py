"""A finished training: its directory, scores, curves and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from foveate.pipeline import cards
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.predictor import Predictor
from foveate.pipeline.reporting.collect import RunFacts, collect
from foveate.pipeline.runs.directories import CHECKPOINTS

CURVES = "curves.png"
SHOWN = 30  # classes in a notebook


@dataclass(frozen=True)
class TrainedRun:
    """What a training left in its run directory.

    Args:
        directory: The run directory.
    """

    directory: Path

    @cached_property
    def facts(self) -> RunFacts:
        """Everything that the run's report tells.

        Raises:
            CheckpointError: The directory is no run.
        """
        return collect(self.directory)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the best score, or the last one."""
        folder = self.directory / CHECKPOINTS
        return next((path for name in ("best", "last") if (path := folder / f"{name}.ckpt").is_file()), folder)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe, with all defaults filled in."""
        return self.facts.recipe

    @property
    def scores(self) -> dict[str, Any]:
        """The figures of the validation of `checkpoint`, such as `miou` or `acc` in 0-1; empty without one."""
        scored = self.facts.scored
        return {} if scored is None else dict(scored[1].figures)

    @property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Step and value of each logged metric, such as `train/loss`."""
        found: dict[str, list[tuple[int, float]]] = {}
        for row in read_log(self.directory / "metrics.csv"):
            for name, text in row.items():
                if name not in ("step", "epoch") and text:
                    found.setdefault(name, []).append((int(row["step"]), float(text)))
        return found

    def predictor(self, **options: Any) -> Predictor:
        """The trained model as a function of images.

        Args:
            options: Those of `Predictor.load`, such as `device`.
        """
        return Predictor.load(self.directory, **options)

    def _repr_html_(self) -> str:
        """Scores and curves for a notebook."""
        figures = {name: value for name, value in self.scores.items() if isinstance(value, int | float)}
        rows = [(name, f"{value:.4g}") for name, value in figures.items()]
        parts = [cards.table(["validation", "value"], rows[:SHOWN])] if rows else []
        curves = self.directory / CURVES
        if curves.is_file():
            with Image.open(curves) as image:
                parts.append(cards.picture(image))
        return cards.card(str(self.directory), *parts)
