"""The exit code of a command that did not succeed, and the last line it prints."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import pairwise

from foveate.pipeline.errors import LAST_GOOD, FoveateError, Stopped, known_cause
from foveate.pipeline.json_option import JSON, STDOUT, is_json_target
from foveate.pipeline.machine import machine_fault
from foveate.pipeline.processes import launchers, peers
from foveate.plugins.output import PRINTED, to_json

BROKEN_PIPE = 141
AS_JSON: ContextVar[bool] = ContextVar("AS_JSON", default=False)  # whether the error is printed as JSON too


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON on standard output, not in a file.

    Args:
        words: The command line.

    Example:
        >>> wants_json(["doctor", "--json"]), wants_json(["score", "a", "b", "--json", "-"])
        (True, True)
        >>> wants_json(["score", "a", "b", "--json", "scores.json"]), wants_json(["models", "list"])
        (False, False)
        >>> wants_json(["verify", "--json", "runs/latest"])
        True
    """
    for word, after in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option == JSON:
            if equals:
                return value.lower() in ("", STDOUT, "true")
            return after == STDOUT or (after.lower() != "false" and not is_json_target(after))
    return False


def end_with(error: BaseException, words: Sequence[str] = ()) -> int:
    """Print the last line of a command; if it was to print JSON, also as JSON on standard output.

    Args:
        error: What ended it.
        words: The command line.

    Returns:
        The exit code.
    """
    AS_JSON.set(wants_json(words) and not PRINTED.get())
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
        if AS_JSON.get():
            print(error_as_json(code, name, cause), flush=True)
    return code


def error_as_json(code: int, name: str, cause: str) -> str:
    """An error for a program.

    Args:
        code: The exit code.
        name: Its name.
        cause: What happened, and what to do.

    Example:
        >>> print(error_as_json(2, "config", "no loss named 'dise'; did you mean 'dice'? (see: foveate plugins list)"))
        {
         "schema": 1,
         "error": {
          "code": "config",
          "exit_code": 2,
          "message": "no loss named 'dise'; did you mean 'dice'? (see: foveate plugins list)",
          "suggestion": "did you mean 'dice'?",
          "see": "foveate plugins list"
         }
        }
    """
    hint, see = re.search(r"did you mean [^?]*\?", cause), re.search(r"see: ([^);]*)", cause)
    told = {"code": name, "exit_code": code, "message": cause}
    more = {"suggestion": hint[0] if hint else None, "see": see[1].strip() if see else None}
    return to_json({"error": {**told, **more}})


def _end_with_exit(error: SystemExit) -> int:
    if isinstance(error.__context__, KeyboardInterrupt):
        return end_with(error.__context__, [JSON] * AS_JSON.get())
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
