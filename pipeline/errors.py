"""The errors of configuration, checkpoints, training, data and machine, each with its exit code."""

from __future__ import annotations

import signal

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


class MachineError(FoveateError):
    """The machine failed, not the recipe: a disk is full, a process was killed or hangs. Trying again may help."""

    exit_code = 138
    code_name = "machine"


class UnusableDataError(FoveateError):
    """Data cannot be used: no pixel is labelled, or images are damaged."""

    exit_code = 3
    code_name = "data"


SIGNALS = {  # name of a signal -> code name, and what is said
    "SIGINT": ("interrupted", "stopped by Ctrl-C"),
    "SIGTERM": ("terminated", "stopped by SIGTERM"),
    "SIGHUP": ("hung-up", "stopped by SIGHUP, the terminal was closed"),
    "SIGUSR1": ("preempted", "stopped by SIGUSR1, the job's time is nearly over"),
}


class Stopped(BaseException):
    """A signal ended the command. Not an Exception, so that nothing handles it on the way out.

    Args:
        number: The signal.
        at_once: A second signal came: end without writing a checkpoint.
        agreed: Every process of the training ends at the same step, so that they can save together.
    """

    def __init__(self, number: int, *, at_once: bool = False, agreed: bool = False) -> None:
        name = signal.Signals(number).name
        self.code_name, text = SIGNALS.get(name, ("stopped", f"stopped by {name}"))
        super().__init__(f"{text}, at once" if at_once else text)
        self.number = number
        self.exit_code = 128 + number
        self.at_once = at_once
        self.agreed = agreed


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
