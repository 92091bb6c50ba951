"""The commands of docs/data.md that import a tool's export run as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from foveate.cli import main

COMMAND = re.compile(r"`foveate (data import [^`]*~/([\w-]+)[^`]*)`")


def test_the_commands_run_one_after_the_other(
    exports: Mapping[str, Callable[[Path], Path]],
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    commands = dict(COMMAND.findall((root / "docs" / "data.md").read_text()))
    assert len(commands) == 10
    for command, name in commands.items():
        exports[name](tmp_path / name)
        assert main(shlex.split(command)) == 0, command
        assert f"has the format {name}" in capsys.readouterr().out


def test_every_option_of_the_command_is_described(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "import", "--help"])
    options = set(re.findall(r"^  (--\w+)", capsys.readouterr().out, flags=re.MULTILINE))
    section = (root / "docs" / "data.md").read_text().split("## From your annotation tool")[1].split("\n## ")[0]
    assert options == set(re.findall(r"^\| `(--\w+)", section, flags=re.MULTILINE))
