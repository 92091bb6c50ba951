"""A command line taken apart."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import WANDB
from foveate.pipeline.training.request import understand
from foveate.plugins import Block, manager


def test_flags_may_come_before_the_recipe() -> None:
    request = understand("fit", ["--trainer.max_steps", "3", "--config", "camvid_segnext_t"])
    assert request.name == "camvid_segnext_t"
    assert request.flags == ["--trainer.max_steps", "3"]


def test_a_second_recipe_lies_over_the_first(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("trainer: {max_steps: 7}")
    request = understand("fit", ["--config", "camvid_segnext_t", f"--config={tmp_path}/mine.yaml"])
    assert request.recipe["trainer"]["max_steps"] == 7
    assert request.recipe["trainer"]["val_check_interval"] == 1000
    assert request.name == "mine"


@pytest.mark.parametrize("words", [["--trainer.logger", "wandb"], ["--trainer.logger=wandb"]])
def test_wandb_is_spelled_out_before_its_own_options(words: list[str]) -> None:
    flags = understand("fit", ["--config", "camvid_segnext_t", "--trainer.logger.project", "p", *words]).flags
    assert flags == [f"--trainer.logger={WANDB}", "--trainer.logger.project", "p"]


def test_a_class_from_elsewhere_is_refused_as_a_flag_too() -> None:
    with pytest.raises(ConfigError, match="refused"):
        understand("fit", ["--config", "camvid_segnext_t", "--model", "os.system"])


@pytest.mark.parametrize(("command", "hint"), [("fit", "--config"), ("validate", "--ckpt_path")])
def test_nothing_given_is_told_what_to_give(command: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        understand(command, ["--trainer.max_steps", "3"])


def test_an_engine_is_taken_out_of_the_flags(tmp_path: Path) -> None:
    checkpoint = tmp_path / "made.ckpt"
    checkpoint.touch()
    words = ["--config", "camvid_segnext_t", "--ckpt_path", str(checkpoint)]
    request = understand("validate", [*words, "--engine", "folded"])
    assert (request.engine, request.flags) == ("folded", [])
    assert understand("validate", words).engine == "torch"


@pytest.mark.parametrize(
    ("command", "engine", "cause"), [("validate", "foldet", "did you mean 'folded'"), ("fit", "folded", "cannot train")]
)
def test_an_engine_that_does_not_fit_is_told(command: str, engine: str, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        understand(command, ["--config", "camvid_segnext_t", "--engine", engine])


@pytest.fixture
def clean_plugins() -> Iterator[None]:
    yield
    manager._installed = None
    sys.modules.pop("made_up_block", None)


def test_a_file_of_the_current_folder_is_a_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_plugins: None
) -> None:
    (tmp_path / "made_up_block.py").write_text(
        "from torch import nn\n"
        "from foveate.plugins import Block, hookimpl\n"
        "@hookimpl\n"
        "def foveate_blocks():\n"
        "    yield Block(name='mine', summary='s', kind='3-D', build=lambda channels: nn.Identity())\n"
    )
    monkeypatch.chdir(tmp_path)
    understand("fit", ["--config", "camvid_segnext_t", "--plugins", "made_up_block"])
    assert manager.installed_plugins().find("mine", Block).provider.distribution == "made_up_block"
