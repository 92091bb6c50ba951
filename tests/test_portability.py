"""The package imports where POSIX's own modules are missing, as on Windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT_ALL = """
import builtins, importlib, pkgutil
import foveate.datasets, foveate.pipeline, foveate.plugins

POSIX = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "curses", "readline"}
original = builtins.__import__

def guarded(name, globals=None, *rest, **named):
    if name.split(".")[0] in POSIX and (globals or {}).get("__name__", "").startswith("foveate"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return original(name, globals, *rest, **named)

builtins.__import__ = guarded
count = 0
for package in (foveate.datasets, foveate.pipeline, foveate.plugins):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".templates" not in module.name:
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name not in ("gradio", "triton"):  # an extra, and a part of PyTorch on Linux alone
                    raise
            count += 1
importlib.import_module("foveate.cli")

from pathlib import Path
from tempfile import TemporaryDirectory
from foveate.datasets.packed import folder
with TemporaryDirectory() as place, folder.alone(Path(place, "lock")):
    pass
from foveate.pipeline.measuring import costs
costs.STATUS = Path("no such file")
try:
    costs._peak()
except OSError:
    print(count)
"""


@pytest.mark.slow
def test_the_package_imports_without_posix_modules() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1]) > 150
