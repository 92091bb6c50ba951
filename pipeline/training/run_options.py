"""Options of a run that belong neither to the model, nor to the data, nor to Lightning's trainer."""

from __future__ import annotations

from lightning.pytorch.cli import LightningArgumentParser

from foveate.pipeline.callbacks.checkpoints import SavingOptions
from foveate.pipeline.callbacks.sample_drawer import PictureOptions
from foveate.pipeline.errors import ConfigError


def add_run_options(parser: LightningArgumentParser) -> None:
    """Add the options of a run that belong neither to the model, nor to the data, nor to Lightning's trainer.

    Args:
        parser: The parser of a command.
    """
    parser.add_class_arguments(PictureOptions, "pictures")
    parser.add_class_arguments(SavingOptions, "checkpoints")
    parser.add_argument(
        "--skip_nonfinite",
        type=int,
        default=0,
        help="Steps with a loss or gradients that are not finite which are left out before the training ends.",
    )
    parser.add_argument(
        "--early_stop",
        type=int | None,
        default=None,
        help="End after so many validations without a better score.",
    )
    parser.add_argument("--report", type=bool, default=True, help="Write report.html at the end of a training.")


def check_counts(skip_nonfinite: int, early_stop: int | None) -> None:
    """Check options that count something.

    Args:
        skip_nonfinite: Steps that may be left out.
        early_stop: Validations without a better score; None for no limit.

    Raises:
        ConfigError: One is too small.
    """
    if skip_nonfinite < 0:
        raise ConfigError(f"--skip_nonfinite is a number of steps, at least 0, not {skip_nonfinite}")
    if early_stop is not None and early_stop < 1:
        raise ConfigError(f"--early_stop is a number of validations, at least 1, not {early_stop}")
