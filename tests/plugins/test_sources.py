"""What --plugins accepts: modules, files, packages, and what is said of anything else."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import Block, create_block, manager
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import discover
from foveate.plugins.sources import locate, locate_all

PLUGIN = """
import made_up_helpers
from foveate.plugins import Block, hookimpl

print("a greeting")

@hookimpl
def foveate_blocks():
    yield Block(name="made", summary="Made up", kind="3-D", build="made_up_late:Late")
"""
LATE = """
from torch import nn

class Late(nn.Identity):
    def __init__(self, channels):
        super().__init__()
        import made_up_third
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None) -> Path:
    """A folder with a plugin, what it imports, a package, and files named like libraries."""
    files = {
        "made_up_blocks.py": PLUGIN,
        "made_up_helpers.py": "",
        "made_up_late.py": LATE,
        "made_up_third.py": "",
        "made_up_data.py": "import foveate\nclass Data: ...\n",
        "made_up_bad.py": "1 / 0",
        "made_up_library.py": "raise RuntimeError('meant for nobody else')",
        "torch.py": "raise RuntimeError('not the library')",
        "made_up_pkg/__init__.py": "from made_up_pkg.inner import foveate_blocks",
        "made_up_pkg/inner.py": PLUGIN.replace("import made_up_helpers", "from . import helper"),
        "made_up_pkg/helper.py": "",
        "empty/notes.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.mark.parametrize(
    "reference",
    [
        "made_up_blocks",
        "made_up_blocks.py",
        "./made_up_blocks.py",
        "./made_up_blocks",
        "~/made_up_blocks.py",
        "empty/../made_up_blocks.py",
        "{folder}/made_up_blocks.py",
        "made_up_pkg",
        "./made_up_pkg",
        "made_up_pkg/",
        "made_up_pkg/inner.py",
        "made_up_pkg.inner",
        "{folder}/made_up_pkg/__init__.py",
    ],
)
def test_a_plugin_is_named_by_module_file_or_folder(folder: Path, reference: str) -> None:
    plugins = discover([], [reference.format(folder=folder)])
    assert plugins.find("made", Block).provider.entry_point.startswith("--plugins ")


@pytest.mark.parametrize("reference", ["made_up_blocks.py", "made_up_pkg/inner.py", "made_up_pkg"])
def test_a_plugin_in_an_unpacked_release_is_found(
    folder: Path, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = folder / "tool-0.1.0"  # holds a package's __init__.py, as ours does
    release.mkdir()
    for name in ("made_up_blocks.py", "made_up_helpers.py", "made_up_late.py", "made_up_third.py", "made_up_pkg"):
        (folder / name).rename(release / name)
    (release / "__init__.py").touch()
    monkeypatch.chdir(release)
    assert discover([], [reference]).find("made", Block).record.name == "made"


def test_one_file_named_twice_is_one_plugin(folder: Path) -> None:
    assert len(discover([], ["made_up_blocks", "./made_up_blocks.py", str(folder / "made_up_blocks.py")]).offers) == 1


def test_two_files_of_one_name_are_refused(folder: Path) -> None:
    (folder / "empty/made_up_blocks.py").write_text(PLUGIN)
    with pytest.raises(PluginConfigError, match="both the module 'made_up_blocks'; rename one"):
        locate_all(["made_up_blocks", "empty/made_up_blocks.py"])


def test_neighbours_are_found_by_the_plugin_and_by_nobody_else(folder: Path) -> None:
    plugins = discover([], ["./made_up_blocks.py"])
    assert type(create_block("made", 8, plugins=plugins)).__name__ == "Late"  # it imports a third file when built
    assert str(folder) not in sys.path
    assert importlib.util.find_spec("made_up_library") is None
    assert importlib.util.find_spec("empty") is None
    assert "site-packages" in str(importlib.util.find_spec("torch"))


def test_a_started_process_gets_classes_of_the_plugin_and_its_neighbours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = type(create_block("made", 8, plugins=discover([], ["./made_up_blocks.py"])))
    monkeypatch.chdir(os.sep)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(getattr, (late, "__module__")) == "made_up_late"


def test_a_module_without_hooks_is_no_mistake(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    plugins = discover([], ["made_up_data"])
    assert (plugins.offers, plugins.faults, list(recwarn)) == ([], [], [])
    assert "made_up_data" in sys.modules


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("made_up_block", "no such module.*did you mean 'made_up_blocks'"),
        ("made_up_block.py", "there is no .*made_up_block.py; did you mean 'made_up_blocks.py'"),
        ("emty/made_up_blocks.py", "did you mean 'empty'"),
        ("empty", "no such module"),
        ("./empty", "a folder is a plugin only with an __init__.py"),
        ("empty/notes.txt", "no Python file"),
        ("./torch.py", "'torch' is an installed module too .*rename"),
        ("torch", "'torch' is an installed module too .*rename"),
        ("", "no such module"),
    ],
)
def test_a_wrong_reference_is_answered_with_what_there_is(folder: Path, reference: str, said: str) -> None:
    with pytest.raises(PluginConfigError, match=said):
        locate(reference)


def test_a_plugin_named_by_hand_that_fails_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        PluginError, match=r"--plugins made_up_bad: .*made_up_bad\.py fails: ZeroDivisionError"
    ) as caught:
        discover([], ["made_up_bad"])
    assert caught.value.exit_code == 5
    assert "made_up_bad" not in sys.modules


@pytest.mark.parametrize(("reference", "code"), [("made_up_block.py", 2), ("./made_up_bad.py", 5)])
@pytest.mark.parametrize("command", ["fit --config camvid_segnext_t", "plugins list", "compare synthetic_segnext_t"])
def test_a_wrong_plugin_is_told_before_torch_is_imported(folder: Path, command: str, reference: str, code: int) -> None:
    (folder / "torch.py").unlink()
    program = "import sys; from foveate.cli import main; code = main(sys.argv[1:]); print(code, 'torch' in sys.modules)"
    words = [sys.executable, "-c", program, *command.split(), "--plugins", reference]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.split() == [str(code), "False"], done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_a_plugin_prints_is_not_among_what_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "list", "--plugins", "./made_up_blocks.py"]) == 0
    shown = capsys.readouterr()
    assert "made " in shown.out
    assert "a greeting" not in shown.out
    assert "a greeting" in shown.err
