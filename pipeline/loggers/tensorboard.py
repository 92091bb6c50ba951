"""Logging to TensorBoard, by Lightning's logger."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger as LightningTensorBoardLogger

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.loggers.guarded import GuardedLogger

FOLDER = "tensorboard"


class TensorBoardLog(GuardedLogger, LightningTensorBoardLogger):
    """Log to TensorBoard's files, in `tensorboard/` of the run directory; a resumed run continues them.

    Args:
        save_dir: Where `tensorboard/` is made; the run directory if not given.
        prefix: Put before the name of each metric.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    service = "TensorBoard"

    def __init__(self, save_dir: str | None = None, prefix: str = "") -> None:
        try:
            super().__init__(save_dir or ".", name="", version=FOLDER, default_hp_metric=False, prefix=prefix)
        except ModuleNotFoundError as error:
            advice = "pip install 'foveate[tensorboard]'"
            raise ConfigError(f"--trainer.logger tensorboard: TensorBoard is not installed; try: {advice}") from error
        self._given_dir = save_dir

    def settle_in(self, run: Path) -> None:
        """Put the files into a run directory.

        Args:
            run: The run directory.
        """
        if self._given_dir is None:
            self._root_dir = str(run)
