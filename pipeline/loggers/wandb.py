"""Logging to Weights & Biases; its failures never stop a training."""

from __future__ import annotations

import logging
import netrc
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger as LightningWandbLogger
from lightning_utilities.core.rank_zero import rank_zero_only

from foveate.pipeline.errors import ConfigError, MachineError
from foveate.pipeline.files import write_text
from foveate.pipeline.loggers.guard import PATIENCE, within
from foveate.pipeline.loggers.guarded import GuardedLogger
from foveate.pipeline.text import first_line

START_TIMEOUT = 20.0  # seconds until a server counts as unreachable
HURRIED = 5.0  # seconds for the end of a run that a signal ended
RATE = 1e6  # bytes a second of checkpoints that are still to be sent at the end
ID_FILE = "wandb-run-id.txt"
PROJECT = "foveate"
NO_KEY = "no W&B API key found (wandb login)"


class WandbLogger(GuardedLogger, LightningWandbLogger):
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
        log_model: Upload the best and the last checkpoint at the end (true), or one after each validation ("all").
        offline: Write locally only.
        save_dir: Where local files go; WANDB_DIR, or the run directory, if not given.
        id: W&B run to continue; a resumed run continues its own.
        strict: End with an error, instead of logging offline, if there is no API key or no server at the start.
        alerts: Send an alert at the end of the run, and when it fails.
        finish_timeout: Seconds to wait at the end for what is still to be sent; a second more for each megabyte of
            checkpoints.
    """

    service = "W&B"
    start_seconds = 3 * START_TIMEOUT + PATIENCE  # an attempt to reach the server, and one to log offline

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
        strict: bool = False,
        alerts: bool = True,
        finish_timeout: float = PATIENCE,
    ) -> None:
        environment = os.environ.get
        super().__init__(
            name=name or environment("WANDB_NAME"),
            project=project or environment("WANDB_PROJECT") or PROJECT,
            save_dir=save_dir or environment("WANDB_DIR") or ".",
            id=id,
            log_model=log_model,
            entity=entity or environment("WANDB_ENTITY"),
            group=group,
            tags=tags,
            notes=notes,
        )
        self._mode = "offline" if offline else None
        self._given_dir = save_dir or environment("WANDB_DIR")
        self._home: Path | None = None
        self._pending = 0  # bytes of checkpoints to be sent
        self.uploads = log_model
        self.strict = strict
        self.alerts = alerts
        self.finish_timeout = finish_timeout

    def settle_in(self, run: Path, known: str | None = None) -> None:
        """Put local files into a run directory, take its name, and continue the W&B run that was started there.

        Args:
            run: The run directory.
            known: Id of the W&B run that a checkpoint remembers, for a training that goes on in another directory.

        Raises:
            ConfigError: It is strict, and there is no API key.
        """
        self._home = run
        if self._name is None:
            self._wandb_init["name"] = self._name = f"{run.parent.name}/{run.name}"
        if self._given_dir is None:
            self._wandb_init["dir"] = self._save_dir = str(run)
        if self._id is None and not os.environ.get("WANDB_RUN_ID"):
            self._wandb_init["id"] = self._id = _read_id(run / ID_FILE) or known
        if self.strict and self._lacks_key:
            raise ConfigError(f"{NO_KEY}; without --trainer.logger.strict true the run is logged offline")

    @property
    def mode(self) -> str:
        """online, offline, or what WANDB_MODE says."""
        return self._mode or os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")

    @property
    def _lacks_key(self) -> bool:
        """Whether it is offline for no other reason than that there is no key."""
        return self._mode is None and not os.environ.get("WANDB_MODE") and not has_key()

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, started at first use; an object that does nothing if W&B cannot be used.

        Raises:
            MachineError: It is strict, and W&B cannot be used.
        """
        if not self.strict or self._experiment is not None:
            return super().experiment
        try:
            return within(self.start_seconds, self._open)
        except Exception as error:
            raise MachineError(f"W&B cannot be used ({first_line(error)}), and the logger is strict") from error

    def _open(self) -> Any:
        if self._experiment is None:
            self._experiment = self._begin()
            with suppress(OSError):  # a full disk: then a resumed run takes the id from its checkpoint
                write_text((self._home or Path(self.save_dir or ".")) / ID_FILE, self._experiment.id or "")
        return self._experiment

    def _begin(self) -> Any:
        import wandb  # imported late: takes most of a second

        mode: Any = self.mode
        if self._lacks_key:
            _tell(f"{NO_KEY}: logging offline")
        arguments = {key: value for key, value in self._wandb_init.items() if key != "anonymous"}
        settings = wandb.Settings(init_timeout=START_TIMEOUT, console="off", silent=True)
        try:
            run = within(3 * START_TIMEOUT, lambda: wandb.init(**arguments, mode=mode, settings=settings))
        except Exception as error:  # wandb raises many kinds of errors; none may stop a training
            if self.strict:
                raise
            _tell(f"W&B cannot be reached ({type(error).__name__}): logging offline")
            run = wandb.init(**arguments, mode="offline", settings=settings)
        self._tell_folder(Path(run.dir).parent, getattr(run, "offline", False) or mode == "offline")
        _quiet_own_log()
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return run

    def _tell_folder(self, folder: Path, offline: bool) -> None:
        """Print where an offline run is kept, and where W&B writes if it cannot write where it should."""
        wanted, folder = Path(self.save_dir or ".").absolute(), folder.absolute()
        if self.mode != "disabled" and not folder.is_relative_to(wanted):
            _tell(f"W&B cannot write to {wanted}: its files are in {folder}")
        if offline:
            _tell(f"W&B log: {folder}; send it later with: wandb sync {folder}")

    @rank_zero_only
    def log_objects(self, objects: Mapping[str, Any], step: int | None = None) -> None:
        """Send tables, pictures, plots and pages.

        Args:
            objects: W&B objects by their keys.
            step: Optimiser steps done.
        """
        self.log_metrics(objects, step)

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Send images, with masks if given."""
        self.guard.call(super().log_image, key, images, step, **kwargs)

    @rank_zero_only
    def describe(self, facts: Mapping[str, Any]) -> None:
        """Add to the run's configuration.

        Args:
            facts: Plain values by their keys.
        """
        self.guard.call(lambda: self.experiment.config.update(dict(facts), allow_val_change=True))

    @rank_zero_only
    def conclude(self, figures: Mapping[str, float | int]) -> None:
        """Add to the run's summary.

        Args:
            figures: Numbers by their keys.
        """
        self.guard.call(lambda: self.experiment.summary.update(dict(figures)))

    @rank_zero_only
    def alert(self, title: str, text: str, level: str) -> None:
        """Send an alert, if alerts are on.

        Args:
            title: Its title.
            text: Its text.
            level: INFO, WARN or ERROR.
        """
        if self.alerts:
            self.guard.call(lambda: self.experiment.alert(title=title, text=text[:1000], level=level))

    @rank_zero_only
    def log_files(
        self, name: str, kind: str, files: Mapping[str, Path], aliases: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        """Send files as an artifact.

        Args:
            name: Of the artifact; the run's id is added.
            kind: What it is: model, report.
            files: Files by their names in the artifact.
            aliases: Such as best and latest.
            metadata: Plain values by their keys.
        """
        size = sum(path.stat().st_size for path in files.values() if path.is_file())
        self._pending += size

        def send() -> None:
            import wandb

            artifact = wandb.Artifact(f"{name}-{self.experiment.id}", type=kind, metadata=dict(metadata))
            for inside, path in files.items():
                artifact.add_file(str(path), name=inside)
            self.experiment.log_artifact(artifact, aliases=list(aliases))

        self.guard.call(send, seconds=PATIENCE + size / RATE)

    @rank_zero_only
    def use_data(self, name: str, content: str, metadata: Mapping[str, Any]) -> None:
        """Record a data set as an input of the run, without sending any of its data.

        Args:
            name: Of the artifact.
            content: Text that is the same for the same data; W&B makes a new version when it changes.
            metadata: Plain values by their keys.
        """

        def use() -> None:
            import wandb

            artifact = wandb.Artifact(name, type="dataset", metadata=dict(metadata))
            with artifact.new_file("fingerprint.json") as file:
                file.write(content)
            run = self.experiment
            if run.settings._offline:  # use_artifact refuses; what it calls also works offline, and is synced as input
                run._log_artifact(artifact, is_user_created=True, use_after_commit=True)
            else:
                run.use_artifact(artifact)

        self.guard.call(use)

    @rank_zero_only
    def mark_preempting(self) -> None:
        """Tell W&B that the run will go on later."""
        self.finish_timeout = min(self.finish_timeout, HURRIED)
        self.guard.call(lambda: self.experiment.mark_preempting(), seconds=HURRIED)

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Do nothing: `WandbReporter` sends checkpoints."""

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """End the run; after a training that went well, the command does so once its summary is written."""
        if status != "success" or self._home is None:
            self.end(int(status != "success"))

    @rank_zero_only
    def end(self, exit_code: int = 0) -> None:
        """End the run, in bounded time.

        Args:
            exit_code: What W&B shows as the result of the run.
        """
        run, self._experiment = self._experiment, None
        if run is None:
            return
        self._id = self._wandb_init["id"] = run.id
        folder = Path(str(getattr(run, "dir", "."))).parent
        seconds = self.finish_timeout + self._pending / RATE
        if not self.guard.broken:
            try:
                within(seconds, lambda: run.finish(exit_code=exit_code))
            except TimeoutError:
                self.guard.broken = True
                _tell(f"W&B did not end in {seconds:.0f} s; send the rest with: wandb sync {folder}")
            except Exception as error:
                self.guard.fail(error)
        if self.guard.broken:
            _tear_down()


def _quiet_own_log() -> None:
    """On a full disk, let W&B's debug log lose lines instead of printing a traceback for each."""
    for handler in logging.getLogger("wandb").handlers:
        handler.handleError = lambda record: None  # type: ignore[method-assign]


def _tear_down() -> None:
    """End W&B's own process, for which it would otherwise wait without limit when Python ends.

    One that hangs is killed: it holds this command's output open, so that whoever reads it would wait.
    """
    process = _own_process()

    def tear_down() -> None:
        import wandb

        wandb.teardown()

    with suppress(Exception):
        within(HURRIED, tear_down)
    if process is not None and process.poll() is None:
        process.kill()


def _own_process() -> subprocess.Popen[bytes] | None:
    """The process that W&B started here; None if there is none, or if W&B keeps it elsewhere than in this version."""
    from wandb.sdk import wandb_setup

    connection: Any = getattr(wandb_setup.singleton(), "_connection", None)
    process = getattr(getattr(connection, "_proc", None), "_process", None)
    return process if isinstance(process, subprocess.Popen) else None


def _read_id(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def has_key() -> bool:
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
