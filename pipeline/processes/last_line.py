"""The exit code of a command that did not succeed, and the last line it prints."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from foveate.pipeline.errors import LAST_GOOD, FoveateError, Stopped, known_cause
from foveate.pipeline.machine import machine_fault
from foveate.pipeline.processes import launchers, peers

BROKEN_PIPE = 141


def end_with(error: BaseException) -> int:
    """Print the last line of a command.

    Args:
        error: What ended it.

    Returns:
        The exit code.
    """
    if isinstance(error, SystemExit):
        return _end_with_exit(error)
    if isinstance(error, KeyboardInterrupt):  # raised by a library, or where our handler is not installed
        stop = Stopped(signal.SIGINT)
        return say(stop.exit_code, stop.code_name, f"{stop}{_notes(error)}")
    if isinstance(error, Stopped):
        return say(error.exit_code, error.code_name, f"{error}{_notes(error)}")
    if isinstance(error, BrokenPipeError) and not peers.is_one_of_several():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left, as `head -1` does; Python
        return BROKEN_PIPE  # flushes again at exit
    if peers.is_one_of_several() and peers.is_lost_peer(error):
        code, name, text = peers.explain_loss(error)
        return say(code, name, text + _notes(error), follows=True)
    code, name, text = explain(error)
    peers.report_failure(code, name, text)
    return say(code, name, text + _notes(error))


def explain(error: BaseException) -> tuple[int, str, str]:
    """Exit code, its name, and one line about an error; of a bug the traceback is printed.

    Args:
        error: Any error.
    """
    cause = known_cause(error)
    if not hasattr(cause, "exit_code"):
        cause = machine_fault(error) or cause
    if hasattr(cause, "exit_code"):
        return int(cause.exit_code), str(getattr(cause, "code_name", "error")), _one_line(cause)
    traceback.print_exception(error)
    return FoveateError.exit_code, FoveateError.code_name, f"{type(error).__name__}: {_one_line(error)}"


def say(code: int, name: str, cause: str, *, follows: bool = False) -> int:
    """Print the last line, unless another process of the training does.

    Args:
        code: The exit code.
        name: Its name.
        cause: What happened, and what to do.
        follows: Another process failed before.

    Returns:
        The exit code.
    """
    launchers.tell_launcher(f"foveate: ERROR {name}: {cause}", follows=follows)
    if not peers.is_one_of_several() or peers.speaks():
        print(f"foveate: ERROR {name}: {cause}", file=sys.stderr, flush=True)
    return code


def _end_with_exit(error: SystemExit) -> int:
    if isinstance(error.__context__, KeyboardInterrupt):
        return end_with(error.__context__)
    if isinstance(error.__context__, BrokenPipeError):  # rich handles it and exits
        return BROKEN_PIPE
    if error.code is None or isinstance(error.code, int):
        return int(error.code or 0)
    return say(2, "usage", str(error.code))


def _notes(error: BaseException) -> str:
    """The line on where to resume, which the checkpoint callback added to the exception as a note."""
    notes = [note for note in getattr(error, "__notes__", []) if note.startswith(LAST_GOOD)]
    return "".join(f"; {note}" for note in notes[-1:])


def _one_line(error: BaseException) -> str:
    """The message of an error; if a data-loading process raised it, its last line without the class name."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not lines[0].startswith("Caught "):
        return " ".join(lines)
    prefix, separator, rest = lines[-1].partition(": ")
    return rest if separator and prefix.endswith(type(error).__name__) else lines[-1]
