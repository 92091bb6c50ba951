"""docs/command-line.md: its commands exist, its exit codes are those of the help, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from foveate.cli import COMMANDS, main, overview
from foveate.pipeline.command_line import function_parser, parser_of
from foveate.pipeline.describing.topics import TOPICS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "command-line.md").read_text()
LINES = re.findall(r"^    (foveate .*)$", TEXT, flags=re.MULTILINE)
SHOWS = ("options", "config show", "diff camvid", "--help ")
QUICK = [line for line in LINES if any(words in line for words in SHOWS)]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the commands write."""
    monkeypatch.chdir(tmp_path)


def test_the_commands_that_look_something_up_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "camvid_segnext_t", "--out", "mine.yaml"]) == 0
    assert len(QUICK) >= 6
    for line in QUICK:
        assert main(line.split()[1:]) == 0, line
        assert capsys.readouterr().out


@pytest.mark.parametrize("line", LINES)
def test_every_command_exists(line: str) -> None:
    name = line.split()[1]
    assert name == "--help" or name in COMMANDS


def test_the_exit_codes_are_those_of_the_help() -> None:
    told = " ".join(re.findall(r"^\| ([\d, ]+) \|", TEXT, flags=re.MULTILINE))
    helped = overview().rpartition("exit codes:")[2]
    assert set(re.findall(r"\d+", helped)) == set(re.findall(r"\d+", told)) - {"141"}


def test_the_topics_are_those_there_are() -> None:
    paragraph = re.search(r"Topics are (.*?)With `--config`", TEXT, flags=re.DOTALL)
    assert paragraph is not None
    assert set(re.findall(r"`(\w+)`", paragraph[1])) == set(TOPICS)


def test_every_command_with_json_is_in_the_table() -> None:
    table = TEXT[TEXT.index("## For programs") :]
    told = {f"{' '.join(words.split()[:2])}" for words in re.findall(r"`([a-z][a-z -]*?)(?: [A-Z]+)?`", table)}
    assert sorted(with_json() - told) == []


def test_only_commands_that_report_nothing_have_no_json() -> None:
    silent = {"serve", "demo", "plugins new", "config init", "completion bash", "completion zsh", "completion fish"}
    assert {path for path, parser in parsers().items() if "--json" not in parser.known_options()} == silent


def with_json() -> set[str]:
    """Commands whose parser takes --json."""
    return {"validate", "test", "predict"} | {
        path for path, parser in parsers().items() if "--json" in parser.known_options()
    }


def parsers() -> dict[str, Any]:
    """Command -> its parser, but for those that Lightning parses."""
    found: dict[str, Any] = {}
    for name, command in COMMANDS.items():
        if command.target is None:
            continue
        module, _, attribute = command.target.partition(":")
        target = getattr(__import__(f"foveate.{module}", fromlist=[attribute]), attribute)
        found |= (
            {name: parser_of(target)}
            if callable(target)
            else {f"{name} {sub}": function_parser(sub, function) for sub, function in target.items()}
        )
    return found
