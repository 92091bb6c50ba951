"""docs/reliability.md names tests that there are, and the exit codes that the errors have."""

from __future__ import annotations

import re
from pathlib import Path

from foveate.datasets import errors as data_errors
from foveate.pipeline import errors
from foveate.plugins import errors as plugin_errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert sorted(name for name in named if f"def {name}(" not in sources) == []


def test_every_exit_code_is_on_the_page() -> None:
    classes = [kind for module in (errors, data_errors, plugin_errors) for kind in vars(module).values()]
    codes = {kind.exit_code for kind in classes if isinstance(getattr(kind, "exit_code", None), int)}
    signals = {errors.Stopped(number).exit_code for number in (1, 2, 10, 15)}
    table = PAGE.split("## Exit codes")[1].split("Every end but")[0]
    listed = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for number in row.split(",")}
    assert codes | signals <= listed
