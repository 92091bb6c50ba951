"""Logging to MLflow, by Lightning's logger."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger as LightningMLFlowLogger

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.loggers.guarded import GuardedLogger

DATABASE, FOLDER = "mlflow.db", "mlruns"  # metrics and settings; files such as checkpoints
ID_FILE = "mlflow-run-id.txt"
EXPERIMENT = "foveate"
MEMORY = "sqlite://"  # until the run directory is known
ADVICE = "try: pip install mlflow"


class MLFlowLog(GuardedLogger, LightningMLFlowLogger):
    """Log to MLflow: to a server, or to `mlflow.db` in the run directory; a resumed run continues its own.

    Args:
        experiment_name: MLflow's experiment.
        run_name: Name of the run; the run directory's (camvid_segnext_t/0003) if not given.
        tracking_uri: Address of the server; MLFLOW_TRACKING_URI, or the run directory, if not given.
        tags: Labels of the run and their values.
        log_model: Send the best checkpoint at the end (true), or each one ("all").
        run_id: MLflow run to continue.

    Raises:
        ConfigError: MLflow is not installed, or only the part of it that logs to a server.
    """

    service = "MLflow"

    def __init__(
        self,
        experiment_name: str = EXPERIMENT,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: dict[str, str] | None = None,
        log_model: bool | str = False,
        run_id: str | None = None,
    ) -> None:
        address = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        try:
            super().__init__(
                experiment_name=experiment_name,
                run_name=run_name,
                tracking_uri=address or MEMORY,
                tags=tags,
                log_model=log_model,
                run_id=run_id,
            )
        except ModuleNotFoundError as error:
            raise ConfigError(f"--trainer.logger mlflow: MLflow is not installed; {ADVICE}") from error
        self._is_local = address is None
        self._home: Path | None = None

    def settle_in(self, run: Path) -> None:
        """Log into a run directory unless there is a server, take its name, and continue the MLflow run begun there.

        Args:
            run: The run directory.
        """
        self._home = run
        if self._run_name is None:
            self._run_name = f"{run.parent.name}/{run.name}"
        if self._is_local:
            self._tracking_uri = f"sqlite:///{run / DATABASE}"
            self._artifact_location = (run / FOLDER).absolute().as_uri()
        if self._run_id is None:
            with suppress(OSError):
                self._run_id = (run / ID_FILE).read_text(encoding="utf-8").strip() or None

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Register a checkpoint to be sent: the best one, not the last."""
        if checkpoint_callback.monitor is not None:
            super().after_save_checkpoint(checkpoint_callback)

    def _open(self) -> Any:
        """Lightning's client, of the place that was settled."""
        from mlflow.tracking import MlflowClient

        fresh = not self._initialized
        if fresh:
            self._mlflow_client = MlflowClient(self._tracking_uri)
        client = super()._open()
        if fresh and self._home is not None and self._run_id:
            with suppress(OSError):
                write_text(self._home / ID_FILE, self._run_id)
        return client
