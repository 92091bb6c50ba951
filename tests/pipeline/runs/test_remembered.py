"""Modules given with --plugins: remembered with a run, imported again only if this user gave them before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.remembered import module_of, recall, remember
from foveate.plugins import manager

RUN = [
    *("--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.limit_val_batches", "1"),
    *("--data.num_workers", "0", "--data.batch_size", "8"),
]
NAME = "made_up_data"


def forget() -> None:
    """What a new process would not know."""
    sys.modules.pop(NAME, None)
    manager._installed = None


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data module of somebody's own in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    file = tmp_path / f"{NAME}.py"
    text = "from foveate.datasets.digits import DigitsDataModule\nclass MyData(DigitsDataModule):\n    '''Mine.'''\n"
    file.write_text(text)
    yield file
    forget()


@pytest.mark.slow
def test_a_run_on_ones_own_data_can_be_used_like_any_other(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *RUN, "--plugins", NAME, "--data", f"{NAME}.MyData"]) == 0
    assert "left out" not in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (16, 16)).save("photos/a.png")
    for words in (["validate"], ["test"], ["predict", "--data.images", "photos"], ["fit", "--trainer.max_steps", "4"]):
        forget()
        assert main([*words, "--ckpt_path", "last"]) == 0
        assert f"importing {NAME} of {module}" in capsys.readouterr().err
    forget()
    assert main(["validate", "--ckpt_path", "last", "--plugins", NAME]) == 0
    last = Path("runs/latest/checkpoints/last.ckpt").resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    forget()
    assert main(["validate", "--ckpt_path", str(last)]) == 0
    Path("bare.ckpt").write_bytes(last.read_bytes())
    forget()
    assert main(["validate", "--ckpt_path", "bare.ckpt"]) == 2
    assert NAME not in sys.modules
    assert f"add --plugins {NAME}" in capsys.readouterr().err


def test_a_run_of_somebody_else_imports_nothing(module: Path) -> None:
    module.write_text("raise SystemExit('imported')")
    recipe = {"plugins": [{"module": NAME, "file": str(module)}]}
    with pytest.raises(ConfigError, match=r"was never given on this machine.*add --plugins"):
        recall(recipe, [])


def test_a_file_that_was_given_under_another_name_is_not_trusted(module: Path) -> None:
    manager.installed_plugins([NAME])
    remember([NAME])
    with pytest.raises(ConfigError, match="never given"):
        recall({"plugins": [{"module": "antigravity", "file": str(module)}]}, [])


def test_a_module_that_is_gone_is_named(module: Path) -> None:
    manager.installed_plugins([NAME])
    kept = remember([NAME])
    module.unlink()
    forget()
    with pytest.raises(ConfigError, match="which is gone"):
        recall({"plugins": kept}, [])


def test_what_is_given_again_is_not_recalled(module: Path) -> None:
    assert recall({"plugins": [{"module": NAME, "file": str(module)}]}, [f"./{NAME}.py"]) == []
    folder = module.parent / "folder"
    folder.mkdir()
    module.rename(folder / module.name)
    assert module_of(f"folder/{NAME}.py") == NAME


@pytest.mark.parametrize("written", ["text", [1], [{"module": "x"}], None])
def test_an_entry_that_is_no_list_of_modules_is_left_alone(written: object) -> None:
    assert recall({"plugins": written}, []) == []
