"""Imports a plugin in a child process first: one that ends its process, crashes or hangs does so there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from foveate.plugins.admission import draw_records
from foveate.plugins.stored import Stored, store
from foveate.plugins.tracing import VARIABLE

LIMIT = "FOVEATE_PLUGIN_TIMEOUT"  # environment variable: longest duration of one import, in seconds
SECONDS = 20.0
PROGRAM = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given.pop('path'); "
    "from foveate.plugins.trial import answer; answer(**given)"
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of importing one plugin.

    Attributes:
        seconds: Duration of its import, after that of Foveate.
        torch: Whether its import also imported torch.
        records: The records that it offers, as text.
        fault: Why it is left out; empty if it is accepted.
    """

    seconds: float = 0.0
    torch: bool = False
    records: list[Stored] = field(default_factory=list)
    fault: str = ""


def longest_import() -> float:
    """Seconds that the import of one plugin may take: FOVEATE_PLUGIN_TIMEOUT, or 20."""
    try:
        seconds = float(os.environ.get(LIMIT, ""))
    except ValueError:
        return SECONDS
    return seconds if 0 < seconds < 1e6 else SECONDS


def attempt(point: EntryPoint, seconds: float) -> Verdict:
    """Import a plugin and draw its records, in a child process.

    Args:
        point: Its entry point.
        seconds: Longest duration; after it the child is killed.
    """
    with tempfile.TemporaryDirectory(prefix="foveate-plugin-", ignore_cleanup_errors=True) as folder:
        out, said = Path(folder, "verdict.json"), Path(folder, "said.txt")
        given = {"name": point.name, "value": point.value, "group": point.group, "out": str(out), "seconds": seconds}
        with said.open("wb") as file:
            child = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, json.dumps({**given, "path": [str(one) for one in sys.path]})],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if name != VARIABLE},
                start_new_session=True,  # so that processes which it starts can be killed with it
            )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            return Verdict(fault=f"its import takes longer than {seconds:g} s (another limit: {LIMIT}=SECONDS)")
        finally:
            if child.poll() is None:
                _kill(child)
        try:
            return Verdict(**json.loads(out.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Verdict(fault=f"its import ends the process with {_ending(code)}{_last_words(said)}")


def answer(name: str, value: str, group: str, out: str, seconds: float) -> None:
    """Import a plugin and write the verdict; runs in the child process, and ends it.

    Args:
        name: Name of the entry point.
        value: Its module or object.
        group: Its group.
        out: The file to write.
        seconds: Longest duration, after which the process ends itself, should its parent be gone.
    """
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds) + 2)
    warnings.simplefilter("ignore")
    started, records, fault = time.perf_counter(), [], ""
    try:
        records = [store(record) for record in draw_records(EntryPoint(name, value, group).load(), value)]
    except BaseException as error:  # sys.exit too
        fault = reason(error)
    took = time.perf_counter() - started
    verdict = Verdict(seconds=took, torch="torch" in sys.modules, records=records, fault=fault)
    Path(out).write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that the plugin started are not waited for


def reason(error: BaseException) -> str:
    """An error in one line, with all lines of its message, since pluggy gives the cause in the third.

    Args:
        error: The error.
    """
    return textwrap.shorten(f"{type(error).__name__}: {error}", 400)


def _kill(child: subprocess.Popen[Any]) -> None:
    """Kill the child, and what it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _ending(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _last_words(said: Path) -> str:
    """The last line that the plugin printed."""
    lines = said.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({textwrap.shorten(last, 200)})" if last else ""
