"""docs/explain.md and docs/hub.md: their commands and code run as they stand, one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image

from foveate.cli import main
from foveate.plugins.manager import installed_plugins
from foveate.plugins.maps import METHOD
from foveate.plugins.offering import offers
from foveate.plugins.records import Block
from foveate.tests.pipeline.predictor.models import photo, segmenter

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXTS = {name: (DOCS / name).read_text() for name in ("explain.md", "hub.md")}


def commands(name: str) -> list[str]:
    return [line.strip() for line in TEXTS[name].splitlines() if line.startswith("    foveate ")]


def code(name: str) -> str:
    (found,) = re.findall(r"```python\n(.*?)```", TEXTS[name], re.DOTALL)
    return str(found)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run and a photo."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    segmenter(tmp_path / "runs/latest/checkpoints/best.ckpt", attention={"stage": "se"})
    data = {"class_path": "foveate.datasets.camvid.CamVidDataModule", "init_args": {"root": "camvid"}}
    network = {"network": "mobilenet_v2_035+light_ham", "attention": {"stage": "se"}}
    model = {"class_path": "foveate.pipeline.segmentation.SegmentationTask", "init_args": network}
    (tmp_path / "runs/latest/recipe.yaml").write_text(yaml.safe_dump({"model": model, "data": data}))
    Image.fromarray(photo()).save(tmp_path / "photo.jpg")
    return tmp_path


@pytest.mark.slow
def test_the_commands_and_the_code_on_explaining_run(here: Path) -> None:
    pytest.importorskip("captum")
    assert len(commands("explain.md")) == 3
    for command in commands("explain.md"):
        assert main(shlex.split(command)[1:]) == 0, command
    assert {path.name for path in here.glob("*/photo.png")} == {"photo.png"}
    exec(compile(code("explain.md"), "explain.md", "exec"), {})
    assert (here / "why.png").is_file()


@pytest.mark.slow
def test_the_commands_and_the_code_on_the_hub_run(here: Path, camvid_root: Path) -> None:
    found = commands("hub.md")
    assert len(found) == 6
    small = {
        "fit": "--trainer.max_steps=1 --trainer.val_check_interval=1 --data.batch_size=2 --data.num_workers=0 "
        "--data.crop=32x32 --trainer.accelerator=cpu --pictures.count=0",
        "validate": "--data.num_workers=0",
    }
    for command in found:
        words = shlex.split(command.replace("~/camvid", str(camvid_root)))[1:]
        if words[0] != "explain":  # tested above
            assert main([*words, *small.get(words[0], "").split()]) == 0, command
    exec(compile(code("hub.md"), "hub.md", "exec"), {})
    assert (here / "overlay.png").is_file()


def test_every_block_that_offers_maps_is_listed_and_no_other() -> None:
    table = TEXTS["explain.md"].split("## Which blocks offer maps")[1]
    listed = {name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)}
    from foveate.plugins.blocks import create_block

    def offering(name: str) -> bool:
        return any(offers(type(module), METHOD) for module in create_block(name, 16).modules())

    ours = [one.record.name for one in installed_plugins().of_kind(Block) if one.provider.distribution == "foveate"]
    assert listed == {name for name in ours if offering(name)}


def test_links_lead_somewhere() -> None:
    for text in TEXTS.values():
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert target.startswith("https://") or (DOCS / target).is_file(), target
