"""Logging to Weights & Biases; its failures never stop a training."""

from __future__ import annotations

import netrc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger as LightningWandbLogger
from lightning_utilities.core.rank_zero import rank_zero_only

from foveate.pipeline.files import write_text

START_TIMEOUT = 20.0  # seconds until a server counts as unreachable
ID_FILE = "wandb-run-id.txt"
PROJECT = "foveate"


class WandbLogger(LightningWandbLogger):
    """Log to Weights & Biases; without an API key or a network, to a local folder that can be synced later.

    It never asks for input and never stops a training: the first failure is printed once, and the CSV log still has
    all metrics.

    Args:
        name: Name of the run; WANDB_NAME, or the run directory's (camvid_segnext_t/0003), if not given.
        project: W&B project; WANDB_PROJECT, or foveate, if not given.
        entity: User or team; WANDB_ENTITY, or your own account's, if not given.
        group: Runs that belong together.
        tags: Labels of the run.
        notes: Text about the run.
        log_model: Upload the best checkpoint at the end (true), or each one ("all").
        offline: Write locally only.
        save_dir: Where local files go; the run directory if not given.
        id: W&B run to continue; a resumed run continues its own.
    """

    def __init__(
        self,
        name: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        log_model: bool | str = False,
        offline: bool = False,
        save_dir: str | None = None,
        id: str | None = None,
    ) -> None:
        environment = os.environ.get
        super().__init__(
            name=name or environment("WANDB_NAME"),
            project=project or environment("WANDB_PROJECT") or PROJECT,
            save_dir=save_dir or ".",
            id=id,
            log_model=log_model,  # type: ignore[arg-type]
            entity=entity or environment("WANDB_ENTITY"),
            group=group,
            tags=tags,
            notes=notes,
        )
        self._mode = "offline" if offline else None
        self._failed = False

    def settle_in(self, run: Path) -> None:
        """Put local files into a run directory, take its name, and continue the W&B run that was started there.

        Args:
            run: The run directory.
        """
        if self._name is None:
            self._wandb_init["name"] = self._name = f"{run.parent.name}/{run.name}"
        self._wandb_init["dir"] = self._save_dir = str(run)
        known = run / ID_FILE
        if self._id is None and known.is_file():
            self._wandb_init["id"] = self._id = known.read_text(encoding="utf-8").strip()

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, started at first use."""
        if self._experiment is None:
            self._experiment = self._begin()
            folder = Path(self.save_dir or ".")
            if folder.is_dir() and self._experiment.id:
                write_text(folder / ID_FILE, self._experiment.id)
        return self._experiment

    def _begin(self) -> Any:
        import wandb  # imported late: takes most of a second

        mode: Any = self._mode or os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        if mode == "offline" and self._mode is None and "WANDB_MODE" not in os.environ:
            _tell("no W&B API key found (wandb login): logging offline")
        arguments = {key: value for key, value in self._wandb_init.items() if key != "anonymous"}
        settings = wandb.Settings(init_timeout=START_TIMEOUT, console="off", silent=True)
        try:
            run = wandb.init(**arguments, mode=mode, settings=settings)
        except Exception as error:  # wandb raises many kinds of errors; none may stop a training
            _tell(f"W&B cannot be reached ({type(error).__name__}): logging offline")
            run = wandb.init(**arguments, mode="offline", settings=settings)
        if getattr(run, "offline", False) or mode == "offline":
            _tell(f"W&B log: {Path(run.dir).parent}; send it later with: wandb sync {Path(run.dir).parent}")
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return run

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Send the run's configuration."""
        self._guard(super().log_hyperparams, params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send metrics."""
        self._guard(super().log_metrics, metrics, step)

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Send images, with masks if given."""
        self._guard(super().log_image, key, images, step, **kwargs)

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Register a checkpoint for upload: the best one, not the last."""
        if checkpoint_callback.monitor is not None:
            super().after_save_checkpoint(checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send checkpoints if asked, and end the run."""
        self._guard(super().finalize, status)
        if self._experiment is not None:
            self._guard(self._experiment.finish)

    def _guard(self, call: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a function; print its first failure instead of raising."""
        try:
            call(*args, **kwargs)
        except Exception as error:  # a logger must not end a training
            if not self._failed:
                _tell(f"W&B failed ({type(error).__name__}: {error}); metrics.csv still gets all metrics")
            self._failed = True


def _has_key() -> bool:
    """Whether there is a W&B key, in the environment or saved by `wandb login`. Does not use the network."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    own_server = urlparse(os.environ.get("WANDB_BASE_URL", "")).hostname
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return own_server in hosts or any("wandb" in host for host in hosts)


def _tell(message: str) -> None:
    print(f"foveate: {message}", file=sys.stderr, flush=True)
