"""docs/plugins.md: its code is that of files which tests run, its commands work, nothing is left out."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.datasets.conformance import RULES as DATA_RULES
from foveate.plugins import hookspecs, manager
from foveate.plugins.scaffold import write_plugin
from foveate.plugins.testing import RULES

TEXT = (Path(__file__).resolve().parents[2] / "docs/plugins.md").read_text()
CODE = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = [line.strip() for line in TEXT.splitlines() if line.startswith("    foveate ")]
WRITTEN = [file for file in CODE if file.startswith("my-attention/")]
WRITTEN_DATA = [file for file in CODE if file.startswith("my-set/")]
EXAMPLES = [file for file in CODE if file.startswith(("examples/", "tests/"))]


@pytest.mark.parametrize("file", WRITTEN)
def test_the_code_is_what_new_writes(file: str, tmp_path: Path) -> None:
    write_plugin("my-attention", tmp_path)
    assert CODE[file] in (tmp_path / file).read_text()


@pytest.mark.parametrize("file", WRITTEN_DATA)
def test_the_code_of_a_data_set_is_what_new_writes(file: str, tmp_path: Path) -> None:
    write_plugin("my-set", tmp_path, "data set")
    assert CODE[file] in (tmp_path / file).read_text()


@pytest.mark.parametrize("file", EXAMPLES)
def test_the_code_of_an_example_is_in_its_file(file: str, root: Path) -> None:
    assert CODE[file] in (root / file.partition("#")[0]).read_text()


@pytest.mark.parametrize("words", COMMANDS)
def test_the_commands_run(
    words: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if ("my-attention" in words or "DIR" in words or "best" in words) and "plugins new" not in words:
        pytest.skip("needs the package installed: see tests/test_stranger.py and tests/test_data_plugin.py")
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.delenv("FOVEATE_PLUGINS", raising=False)
    monkeypatch.chdir(tmp_path)
    for module in ("my_blocks", "my_parts"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    (tmp_path / "my_blocks.py").write_text(CODE["my_blocks.py"])
    (tmp_path / "my_parts.py").write_text((root / "examples/parts/my_parts.py").read_text())
    assert main(shlex.split(words)[1:]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("foveate_")])
def test_each_hook_has_a_heading(name: str) -> None:
    assert f"\n### {name}\n" in TEXT


def test_the_rules_are_all_told_in_order() -> None:
    assert "\n".join(f"| {rule.name} | {rule.promise} |" for rule in RULES) in TEXT


def test_the_rules_for_data_sets_are_all_told_in_order() -> None:
    assert "\n".join(f"| {rule.name} | {rule.promise} |" for rule in DATA_RULES) in TEXT


def test_there_is_code_to_compare_and_there_are_commands() -> None:
    assert len(WRITTEN) == 4
    assert len(WRITTEN_DATA) == 3
    assert len(EXAMPLES) == 6
    assert len(COMMANDS) >= 6
