"""The commands and the recipe lines of docs/data.md on figures, pictures and rare classes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from foveate.cli import main
from foveate.datasets.folder import FolderDataModule
from foveate.tests.datasets.drawn_masks import KINDS, write_data_set


@pytest.fixture
def section(root: Path) -> str:
    return (root / "docs" / "data.md").read_text().split("## Figures, pictures and rare classes")[1].split("\n## ")[0]


@pytest.fixture
def data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data_set(tmp_path / "mydata", KINDS["values"], {"train": 3, "val": 1})
    return tmp_path / "mydata"


def test_the_commands_run_as_they_stand(section: str, data_set: Path) -> None:
    commands = re.findall(r"^    foveate (.*?)(?: {2,}#.*| > .*)?$", section, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert main(shlex.split(command)) == 0, command
    assert (data_set.parent / "view.html").is_file()


def test_the_recipe_lines_are_options(section: str, data_set: Path) -> None:
    lines = yaml.safe_load(section.split("```yaml\n")[1].split("```")[0])["data"]
    data = FolderDataModule(str(data_set), crop=(16, 16), batch_size=1, num_workers=0, **lines)
    data.setup("fit")
    assert len(list(data.train_dataloader())) == 3
