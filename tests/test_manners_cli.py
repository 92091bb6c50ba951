"""The command's manners: JSON on standard output, errors for programs, narrow terminals, colours, pipes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from foveate.cli import COMMANDS, main
from foveate.pipeline.help_layout import columns, fold_command
from foveate.plugins.tables import create_console

NAMES = {
    "models list": "segmenters",
    "recipes list": "recipes",
    "plugins list": "blocks",
    "plugins info lka": "options",
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.parametrize("command", NAMES)
def test_what_is_listed_can_be_read_by_a_program(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == 1
    assert found[NAMES[command]]


def test_every_kind_of_record_is_listed_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "list", "--what", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"blocks", "encoders", "decoders", "losses", "metrics", "data"} <= set(found)
    assert {"name": "lka", "kind": "3-D"}.items() <= next(
        one for one in found["blocks"] if one["name"] == "lka"
    ).items()


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["plugins", "info", "lkka", "--json"], 2, {"code": "config", "suggestion": "did you mean 'lka'?"}),
        (["ftt", "--json"], 2, {"code": "usage", "suggestion": "did you mean 'fit'?", "see": "foveate --help"}),
        (["weights", "show", "nope.pth", "--json"], 4, {"code": "checkpoint", "suggestion": None, "see": None}),
        (["validate", "--ckpt_path", "besst", "--json"], 4, {"suggestion": "did you mean 'best'?"}),
        (["score", "a", "b", "--json", "-"], 3, {"code": "data"}),
    ],
)
def test_an_error_is_json_too_where_json_is_asked_for(
    words: list[str], code: int, error: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["schema"], told["error"]["exit_code"]) == (1, code)
    assert error.items() <= told["error"].items()
    assert printed.err == f"foveate: ERROR {told['error']['code']}: {told['error']['message']}\n"


@pytest.mark.parametrize("words", [["plugins", "info", "lkka"], ["score", "a", "b", "--json", "scores.json"]])
def test_otherwise_standard_output_stays_empty(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) != 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["data", "check", "photos", "of", "cats"], ["leaderboard", "check", "a.json", "of"]])
def test_a_word_too_many_is_not_called_an_option(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "one argument too many: 'of'; what holds spaces needs quotes (see: foveate " in capsys.readouterr().err


@pytest.mark.parametrize("command", [*COMMANDS, ""])
@pytest.mark.parametrize("width", [60, 120])
def test_help_fits_the_terminal(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*command.split(), "--help"]) == 0
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > width]
    assert [line for line in wide if max(map(len, line.split())) < width // 2] == []  # a path or a choice is not broken


def test_a_command_that_is_broken_into_lines_is_still_that_command() -> None:
    command = "echo one two three four --data.root ~/a/long/path --model.attention.gate lka    # and why"
    lines = fold_command(command, 2, 40)
    assert len(lines) > 2
    assert max(map(len, lines)) <= 40
    words = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout.split()
    assert [words[0], words[-1]] == ["one", "lka"]
    assert len(words) == 8


def test_meanings_stand_below_names_where_little_is_left() -> None:
    assert columns([("--out DIR", "where to write")], 20, None) == ["  --out DIR           where to write"]
    assert columns([("--out DIR", "where to write")], 20, 40) == ["  --out DIR", "      where to write"]


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_are_chosen_by_the_environment(
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    create_console().print("[green]passed[/green]")
    assert ("\x1b[32m" in capsys.readouterr().out) == coloured
