"""Label maps named by a path end up in the recipe itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from foveate.datasets.errors import DataError
from foveate.pipeline.training.label_maps import inline_label_maps

MAP: dict[str, Any] = {"classes": {"vehicle": ["car", "bus"]}, "rest": "ignore"}


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(MAP))
    return str(tmp_path / "map.yaml")


def test_a_path_in_a_recipe_is_read(path: str) -> None:
    recipe = {"data": {"class_path": "A", "init_args": {"label_map": path, "crop": 8}}}
    found, flags = inline_label_maps(recipe, ["--data.crop=9"])
    assert found["data"] == {"class_path": "A", "init_args": {"label_map": MAP, "crop": 8}}
    assert flags == ["--data.crop=9"]
    assert recipe["data"]["init_args"]["label_map"] == path  # type: ignore[index]


@pytest.mark.parametrize("form", [["--data.label_map", "PATH"], ["--data.init_args.label_map=PATH"]])
def test_a_path_on_the_command_line_is_read(form: list[str], path: str) -> None:
    _, flags = inline_label_maps({}, [word.replace("PATH", path) for word in form])
    option, _, value = flags[0].partition("=")
    assert (option, yaml.safe_load(value)) == ("--data.label_map", MAP)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"nope.yaml: no such file \(--data.label_map\)"):
        inline_label_maps({"data": {"init_args": {"label_map": "nope.yaml"}}}, [])
