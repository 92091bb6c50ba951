"""Commands around data, plugins, weights and recipes, read by a program: one JSON document, and nothing else there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.pipeline.commands import weights
from foveate.tests.datasets.drawn_masks import KINDS, write_data_set
from foveate.tests.pipeline.mmseg.configs import DATA, SCHEDULE, SEGNEXT_T

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs a command in an empty folder; the document that it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main([*words, "--json"]) == 0, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert found.pop("schema") == 1
        return found

    return run


def test_scenes_are_made_packed_and_shown(ask: Ask) -> None:
    made = ask("data", "make", "scenes", "--train", "2", "--val", "1", "--size", "64x96", "--seed", "3")
    assert made == {"folder": "scenes", "train": 2, "val": 1, "size": [64, 96], "seed": 3}
    packed = ask("data", "pack", "scenes")["splits"]
    assert {split: one["images"] for split, one in packed.items()} == {"train": 2, "val": 1}
    assert all(Path(one["folder"]).is_dir() and one["packed_again"] == 0 for one in packed.values())
    shown = ask("data", "view", "scenes", "--count", "2", "--split", "val")
    assert (Path(shown["page"]).stat().st_size, shown["split"]) == (shown["bytes"], "val")


def test_classes_are_proposed_and_written(ask: Ask) -> None:
    write_data_set(Path("mine"), KINDS["values, unnamed"], {"train": 2, "val": 1})
    proposed = ask("data", "classes", "mine")
    assert [one["value"] for one in proposed["proposal"]["classes"]] == [0, 1, 2]
    assert (proposed["file"], Path("mine/classes.yaml").exists()) == (None, False)
    assert ask("data", "classes", "mine", "--write")["file"] == str(Path("mine/classes.yaml"))


def write_coco(folder: Path) -> None:
    """One image of 8 x 10 with a rectangle of 4 x 5 pixels that is a leaf."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(folder / "images/a.png")
    drawn = {"id": 1, "image_id": 1, "category_id": 7, "iscrowd": 0, "segmentation": [[0, 0, 5, 0, 5, 4, 0, 4]]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 10}],
        "annotations": [{**drawn, "bbox": [0, 0, 5, 4], "area": 20}],
        "categories": [{"id": 7, "name": "leaf"}],
    }
    (folder / "annotations/instances_train.json").write_text(json.dumps(content))


def test_an_import_tells_classes_with_pixels(ask: Ask) -> None:
    write_coco(Path("coco"))
    found = ask("data", "import", "coco", "mine", "--images", "coco/images")
    pixels = {one["name"]: one["pixels"] for one in found["classes"]}
    assert (found["format"], found["masks"], pixels) == ("coco", 1, {"background": 60, "leaf": 20})
    assert sum(found["images"].values()) == sum(found["placed"].values()) == 1
    assert Path(found["folder"], "classes.yaml").is_file()


def test_shards_are_counted(ask: Ask) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            path = Path(f"images/{split}/cat/{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    assert ask("data", "shard", "images", "shards") == {"folder": "shards", "images": {"train": 3, "val": 2}}


def test_each_rule_of_a_block_has_its_result(ask: Ask) -> None:
    found = ask("plugins", "check", "none")
    assert (found["name"], found["record"]) == ("none", "block")
    assert {one["result"] for one in found["rules"]} <= {"passed", "skipped"}
    assert found["costs"][0].keys() == {"channels", "parameters", "macs"}


BROKEN = """
from torch import nn
from foveate.plugins import Block, hookimpl

class Halves(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        return x[..., ::2]

@hookimpl
def foveate_blocks():
    yield Block(name="halves", summary="Leaves out every second column", kind="3-D", build=Halves)
"""


@pytest.mark.slow
def test_broken_rules_say_what_to_do_in_one_document(tmp_path: Path) -> None:
    """In a process of its own, which alone gets the block."""
    (tmp_path / "halves.py").write_text(BROKEN)
    words = ["plugins", "check", "halves", "--plugins", "halves.py", "--json"]
    done = subprocess.run([sys.executable, "-m", "foveate.cli", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    found = json.loads(done.stdout)
    broken = [one for one in found["rules"] if one["result"] == "failed"]
    assert broken
    assert all(one["detail"] and one["advice"] for one in broken)
    assert found["costs"] == []


def test_installed_plugins_are_examined(ask: Ask) -> None:
    found = ask("plugins", "doctor")
    ours = next(one for one in found["plugins"] if one["entry_point"].startswith("blocks = "))
    assert "block lka" in ours["records"]
    assert (ours["fault"], found["clashes"]) == (None, [])


def test_weights_are_listed_and_fetched(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ask("weights", "list")
    mscan = next(one for one in found["weights"] if one["name"] == "mscan_t")
    assert mscan["address"].startswith("https://")
    assert Path(mscan["file"]).parent == Path(found["folder"])
    monkeypatch.setattr(weights, "fetch", lambda name: Path(name))
    assert ask("weights", "fetch", "mscan_t")["file"] == mscan["file"]


def test_a_recipe_is_shown_and_a_config_converted(ask: Ask) -> None:
    assert ask("recipes", "show", "digits_vit_ti")["recipe"]["model"]["init_args"]["network"] == "vit_ti"
    for name, text in (("schedule", SCHEDULE), ("data", DATA), ("config", SEGNEXT_T)):
        Path(f"{name}.py").write_text(text)
    found = ask("recipes", "from-mmseg", "config.py")
    assert found["recipe"]["model"]["init_args"]["network"] == "segnext_t"
    assert found["file"] is None
    assert all(one["place"].partition(".py:")[2].isdigit() and one["text"] for one in found["notes"])
