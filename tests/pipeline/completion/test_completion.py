"""Completion in real shells: which words are offered where, of a made-up tree and of the real one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foveate.cli import COMMANDS, main
from foveate.pipeline.completion import bash, fish, zsh
from foveate.pipeline.completion.spec import CommandSpec, Option, Tree, Values, brief
from foveate.pipeline.runs.recipes import list_recipes
from foveate.tests.pipeline.completion.shells import ALL, Terminal, ask_fish, open_bash, open_zsh

RECIPES = Values(("camvid_segnext_t", "digits_vit_ti"), files=True)
TREE = Tree(
    commands={"fit": "train", "data": "look at data", "export": "it's for others"},
    groups={"data": {"check": "read every file", "make": "draw scenes"}},
    specs=(
        CommandSpec(
            "fit",
            "train",
            (
                Option("--config", "a recipe: its name", RECIPES),
                Option("--dry_run", "try", switch=True),
                Option("--seed", "a number", Values()),
            ),
            recipe=True,
        ),
        CommandSpec(
            "data check", "read", (Option("--fast", switch=True),), (Values(files=True), Values(("one", "two")))
        ),
        CommandSpec("data make", "draw", ()),
        CommandSpec("export", "write", (), (Values(("best", "last"), files=True),)),
    ),
    recipe=(
        Option("--data.root", "the user's folder", Values(files=True)),
        Option("--model.attention.gate", "a block", Values(("lka", "msca"))),
        Option("--model.network", "a network", Values(("segnext_s", "segnext_t", "smp:"))),
        Option("--model.optimizer.lr", "", Values()),
        Option("--model.optimizer.name", "", Values(("adamw", "sgd"))),
    ),
)

LINES = {  # what is typed before Tab -> the line after it
    "foveate f": "foveate fit ",
    "foveate data ch": "foveate data check ",
    "foveate fit --conf": "foveate fit --config ",
    "foveate fit --config camv": "foveate fit --config camvid_segnext_t ",
    "foveate fit --config=dig": "foveate fit --config=digits_vit_ti ",
    "foveate fit --mo": "foveate fit --model.",
    "foveate fit --model.opt": "foveate fit --model.optimizer.",
    "foveate fit --model.att": "foveate fit --model.attention.gate ",
    "foveate fit --model.attention.gate m": "foveate fit --model.attention.gate msca ",
    "foveate fit --model.network sm": "foveate fit --model.network smp:",
    "foveate fit --model.network=seg": "foveate fit --model.network=segnext_",
    "foveate fit --dry_run --config camv": "foveate fit --dry_run --config camvid_segnext_t ",
    "foveate fit --seed sce": "foveate fit --seed sce",
    "foveate fit --data.root sce": "foveate fit --data.root scenes/",
    "foveate data check sce": "foveate data check scenes/",
    "foveate data check --fast scenes tw": "foveate data check --fast scenes two ",
    "foveate export be": "foveate export best ",
    "cd scenes; foveate exp": "cd scenes; foveate export ",
    "foveate data make --m": "foveate data make --m",
    "foveate nothing --m": "foveate nothing --m",
}
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
needs_zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
needs_fish = pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the shell runs."""
    (tmp_path / "scenes").mkdir()
    return tmp_path


@pytest.fixture
def typed(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Terminal]:
    """A shell with the script of the made-up tree."""
    opening, render = {"bash": (open_bash, bash.render), "zsh": (open_zsh, zsh.render)}[request.param]
    script = scratch / "script"
    script.write_text(render(TREE))
    with opening(script, scratch) as shell:
        yield shell
    script.unlink()


@pytest.mark.parametrize(
    "typed", [pytest.param("bash", marks=needs_bash), pytest.param("zsh", marks=needs_zsh)], indirect=True
)
def test_tab_completes_a_line_without_starting_a_program(typed: Terminal) -> None:
    assert {text: typed.complete(text) for text in LINES} == LINES


@needs_bash
@pytest.mark.parametrize("typed", ["bash"], indirect=True)
def test_one_level_of_dotted_options_is_offered_at_a_time(typed: Terminal) -> None:
    words = typed.complete("foveate fit --", ALL).split()
    assert words == ["foveate", "fit", "--config", "--data.root", "--dry_run", "--model.", "--seed"]
    words = typed.complete("foveate fit --model.", ALL).split()
    assert words[2:] == ["--model.attention.gate", "--model.network", "--model.optimizer."]


@needs_fish
@pytest.mark.parametrize("text", [text for text in LINES if not text.startswith("cd ")])
def test_fish_offers_the_same(text: str, scratch: Path) -> None:
    (scratch / "script").write_text(fish.render(TREE))
    offered = ask_fish(scratch / "script", scratch, text)
    before = text.rpartition(" ")[0]
    wanted = LINES[text].removeprefix(f"{before} ").strip()
    if wanted == text.rpartition(" ")[2]:
        assert offered == []
    elif wanted.endswith("_"):
        assert offered == [f"{wanted}s", f"{wanted}t"]
    else:
        assert offered == [wanted]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The rate. Others differ.", "The rate"),
        ("blocks, data ... from a file", "blocks, data ... from a file"),
        ("word " * 30, "word " * 13 + "word..."),
    ],
)
def test_a_description_is_one_short_line(text: str, line: str) -> None:
    assert brief(text) == line


def test_the_help_says_how_each_is_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # parallel test processes set it
    assert main(["completion", "--help"]) == 0
    text = capsys.readouterr().out
    assert "foveate completion bash > ~/.local/share/bash-completion/completions/foveate" in text
    assert "foveate completion zsh > ~/.zfunc/_foveate" in text
    assert "foveate completion fish > ~/.config/fish/completions/foveate.fish" in text


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that the command writes for bash."""
    path = tmp_path_factory.mktemp("completion") / "foveate"
    with path.open("w") as file:
        subprocess.run([sys.executable, "-m", "foveate.cli", "completion", "bash"], stdout=file, check=True)
    return path


@pytest.mark.slow
@needs_bash
def test_the_real_script_completes_commands_options_and_names(written: Path, scratch: Path) -> None:
    lines = {
        "foveate compl": "foveate completion ",
        "foveate fit --model.optimizer.lr": "foveate fit --model.optimizer.lr ",
        "foveate fit --model.attention.gate hamb": "foveate fit --model.attention.gate hamburger ",
        "foveate fit --model.loss foc": "foveate fit --model.loss focal ",
        "foveate fit --model.network van_b0": "foveate fit --model.network van_b0 ",
        "foveate fit --trainer.max_ste": "foveate fit --trainer.max_steps ",
        "foveate fit --data.num_w": "foveate fit --data.num_workers ",
        "foveate export best --format tor": "foveate export best --format torch",
        "foveate plugins info sima": "foveate plugins info simam ",
        "foveate data check --dataset camv": "foveate data check --dataset camvid ",
    }
    with open_bash(written, scratch) as shell:
        assert {text: shell.complete(text) for text in lines} == lines
        assert shell.complete("foveate fit --config ", ALL).split()[3:] == list_recipes()
        assert set(shell.complete("foveate ", ALL).split()[1:]) == set(COMMANDS)
        assert "--json" in shell.complete("foveate predict --", ALL).split()


@pytest.mark.slow
def test_the_real_script_starts_nothing(written: Path) -> None:
    text = written.read_text()
    assert not re.search(r"python|\$\((?!\(|__foveate)", re.sub(r"^#.*|'[^']*'", "", text, flags=re.MULTILINE))
    assert len(text) < 100_000
