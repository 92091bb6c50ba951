"""Memory that is freed and asked for again, counted in pages that the system had to hand out."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys

import pytest

from foveate.pipeline.startup import OWN_WORDS, show_log

COUNT = """
import resource
from foveate.pipeline.startup import keep_freed_memory
print({call})
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(64 << 20)
before = faults()
for _ in range(4):
    bytearray(64 << 20)
print(faults() - before)
"""

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the C library of GNU")


def count_faults(call: str, **environment: str) -> tuple[str, int]:
    """What the call gave, and the pages that four large requests took after a first one."""
    kept = {name: value for name, value in os.environ.items() if name not in OWN_WORDS}
    words = [sys.executable, "-c", COUNT.format(call=call)]
    done = subprocess.run(words, env=kept | environment, capture_output=True, text=True, check=True)
    given, faults = done.stdout.split()
    return given, int(faults)


@needs_glibc
def test_freed_memory_is_used_again() -> None:
    _, without = count_faults("None")
    given, faults = count_faults("keep_freed_memory()")
    assert given == "True"
    assert faults < 100 < without


@needs_glibc
def test_what_the_environment_says_stays() -> None:
    given, faults = count_faults("keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="131072")
    assert given == "False"
    assert faults > 100


def test_another_c_library_is_no_error() -> None:
    nothing = "__import__('ctypes').__dict__.update(CDLL=lambda name: object()) or keep_freed_memory()"
    given, _ = count_faults(nothing)
    assert given == "False"


def test_the_command_line_shows_what_data_sets_log(capsys: pytest.CaptureFixture[str]) -> None:
    show_log("made_up.logger")
    show_log("made_up.logger")
    logging.getLogger("made_up.logger.part").info("read %d", 3)
    logging.getLogger("made_up.logger").warning("slow")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "read 3\nslow\n")
