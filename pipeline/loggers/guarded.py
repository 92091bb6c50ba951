"""Base class of the loggers that send a run to a service; no failure of theirs ends a training."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.loggers.logger import _DummyExperiment, rank_zero_experiment
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning_utilities.core.rank_zero import rank_zero_only

from foveate.pipeline.loggers.guard import PATIENCE, Guard


class GuardedLogger(Logger):
    """Guards every call that Lightning makes; to be named before one of Lightning's loggers among the bases.

    Attributes:
        guard: Calls the service.
    """

    service = "the logger"
    start_seconds = PATIENCE  # how long its start may take

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.guard = Guard(self.service)

    def settle_in(self, run: Path) -> None:
        """Put local files into a run directory, and continue what was logged from there.

        Args:
            run: The run directory.
        """
        raise NotImplementedError

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The service's own object; one that does nothing if the service cannot be used."""
        found = None if self.guard.broken else self.guard.call(self._open, seconds=self.start_seconds)
        if found is None:
            self.guard.broken = True
            return _DummyExperiment()
        return found

    def _open(self) -> Any:
        return super().experiment  # type: ignore[misc]

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Send the run's configuration."""
        self.guard.call(super().log_hyperparams, params, *args, **kwargs)  # type: ignore[safe-super]

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send metrics."""
        self.guard.call(super().log_metrics, metrics, step)  # type: ignore[safe-super]

    @rank_zero_only
    def log_graph(self, model: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        """Send the network's graph, if the logger does so."""
        self.guard.call(super().log_graph, model, *args, **kwargs)

    @rank_zero_only
    def save(self) -> None:
        """Write what is held back."""
        self.guard.call(super().save)

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Send a checkpoint, if asked."""
        self.guard.call(super().after_save_checkpoint, checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """End the log."""
        self.guard.call(super().finalize, status)
