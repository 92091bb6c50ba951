"""The errors of configuration, checkpoints, training and data, each with its exit code."""

LAST_GOOD = "last good checkpoint"  # beginning of an exception's note that names the checkpoint to resume from


class FoveateError(Exception):
    """An error that one line explains; the command prints that line and exits with `exit_code`."""

    exit_code = 1
    code_name = "bug"


class ConfigError(FoveateError):
    """The recipe or the command line asks for something that does not exist or does not fit."""

    exit_code = 2
    code_name = "config"


class CheckpointError(FoveateError):
    """A checkpoint or weights file is missing, damaged, of another model, or refused as unsafe."""

    exit_code = 4
    code_name = "checkpoint"


class DivergedError(FoveateError):
    """The loss became infinite or NaN."""

    exit_code = 6
    code_name = "diverged"


class UnusableDataError(FoveateError):
    """Data cannot be used: no pixel is labelled, or images are damaged."""

    exit_code = 3
    code_name = "data"


def known_cause(error: BaseException) -> BaseException:
    """The first error with an exit code of its own among an error and what it was raised from, else the error itself.

    A parser wraps what a constructor says. What was only being handled when the error arose (`__context__`) does not
    count: a bug in an error handler is a bug.

    Args:
        error: Any error.
    """
    cause: BaseException | None = error
    while cause is not None and not hasattr(cause, "exit_code"):
        cause = cause.__cause__
    return error if cause is None else cause
