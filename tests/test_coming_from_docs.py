"""docs/from-*.md and docs/python.md: commands and snippets run as they stand, and tables say what is so."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import foveate as fv
from foveate.cli import COMMANDS, main
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS
from foveate.datasets.folder_options import FOLDER_DEFAULTS
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.mmseg.recipe import convert
from foveate.pipeline.models import create_model
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.optimisation.schedules import ScheduleConfig
from foveate.pipeline.runs.recipes import find_recipe, read_recipe
from foveate.pipeline.segmentation import SegmentationTask
from foveate.tests.conftest import write_cityscapes
from foveate.tests.pipeline.mmseg.configs import write_configs

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("from-mmseg", "from-ultralytics", "from-smp", "from-timm", "python")
TEXTS = {name: (DOCS / f"{name}.md").read_text() for name in NAMES}
T_CONFIG = "segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py"


def commands(name: str) -> list[list[str]]:
    """The words of each indented command."""
    lines = [line.strip() for line in TEXTS[name].splitlines() if line.startswith("    foveate ")]
    return [shlex.split(line)[1:] for line in lines]


def snippets(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", TEXTS[name], flags=re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXTS[name]):
        assert (DOCS / target).is_file(), target


def known(part: str) -> set[str]:
    """The options of a part of a recipe."""
    if part == "trainer":
        return set(inspect.signature(L.Trainer.__init__).parameters)
    if part == "data":
        return {*FOLDER_DEFAULTS, *CLASSIFICATION_DEFAULTS, "root", "images"}
    tasks = (SegmentationTask, ClassificationTask)
    return {name for task in tasks for name in inspect.signature(task.__init__).parameters}


@pytest.mark.parametrize("name", NAMES)
def test_flags_exist(name: str) -> None:
    groups = {"optimizer": OptimizerConfig, "schedule": ScheduleConfig}
    found = re.findall(r"--(model|data|trainer)\.(\w+)(?:\.(\w+))?", TEXTS[name])
    for part, option, inner in found:
        assert option in known(part), (part, option)
        if option in groups and inner:
            assert inner in inspect.signature(groups[option]).parameters, inner


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist(name: str) -> None:
    assert all(words[0] in COMMANDS for words in commands(name))


@pytest.mark.parametrize("name", NAMES)
def test_networks_of_the_tables_can_be_built(name: str) -> None:
    rows = [line for line in TEXTS[name].splitlines() if line.startswith("|")]
    named = re.findall(r"(?:network: |--model.network )([\w:.+]+)", "\n".join(rows))
    for network in named:
        assert create_model(network, num_classes=3) is not None


# The table of values in from-mmseg.md


def values(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The settings of the table, from a recipe."""
    model, data, trainer = recipe["model"]["init_args"], recipe["data"]["init_args"], recipe["trainer"]
    low, high = data["scale"]
    return {
        "batch": str(data["batch_size"]),
        "crop": " x ".join(map(str, data["crop"])),
        "resize of training images": f"{data['long_side']} x {data['short_side']} x [{low}, {high}]",
        "learning rate": str(model["optimizer"]["lr"]),
        "weight decay": str(model["optimizer"]["weight_decay"]),
        "decoder's learning rate": f"x {model['optimizer']['decoder_lr_multiplier']}",
        "warm-up": str(model["schedule"]["warmup_steps"]),
        "power of poly": str(model["schedule"]["power"]),
        "steps": str(trainer["max_steps"]),
        "multiple of the sides at evaluation": str(model["inference"]["multiple_of"]),
        "precision": trainer["precision"],
        "validation every": str(trainer["val_check_interval"]),
    }


def sizes(recipes: list[Mapping[str, Any]]) -> dict[str, str]:
    """What differs between the variants, from the networks that the recipes describe."""
    with torch.device("meta"):
        networks = [
            create_model(one["network"], num_classes=2, attention=one["attention"], **one.get("network_options", {}))
            for one in (recipe["model"]["init_args"] for recipe in recipes)
        ]
    rates = [
        max(getattr(module, "rate", 0.0) for module in network.modules() if type(module).__name__ == "DropPath")
        for network in networks
    ]
    hams = [network.decoder.hamburger.ham for network in networks]
    return {
        "T, S, B, L: channels of the decoder": ", ".join(str(ham.bases.shape[1]) for ham in hams),
        "T, S, B, L: rank of the factorisation": ", ".join(str(ham.rank) for ham in hams),
        "T, S, B, L: drop path": ", ".join(str(round(float(rate), 3)) for rate in rates),
    }


def test_the_table_of_values_is_what_config_and_recipe_say(tmp_path: Path) -> None:
    write_configs(tmp_path)
    theirs = [yaml.safe_load(convert(tmp_path / f"segnext_{size}.py")[0]) for size in "tsbl"]
    ours = [read_recipe(find_recipe(f"ade20k_segnext_{size}")) for size in "tsbl"]
    section = TEXTS["from-mmseg"].split("## SegNeXt on ADE20K")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    table = {row[0]: (row[1], row[2]) for row in rows[2:]}
    left, right = ({**sizes(both), **values(both[0])} for both in (theirs, ours))
    assert table == {name: (left[name], right[name]) for name in left}
    assert all(values(one) == values(both[0]) for both in (theirs, ours) for one in both)


def test_every_backbone_and_head_is_in_the_table() -> None:
    from foveate.pipeline.mmseg.network import BACKBONES, HEADS

    assert all(f"`{name}`" in TEXTS["from-mmseg"] for name in (*BACKBONES, *HEADS))


# Commands, on made data


def tiny(words: list[str], **more: str) -> list[str]:
    """A command with tiny sizes."""
    if words[0] != "fit":
        return words
    small = {"trainer.max_steps": "1", "trainer.max_epochs": "-1", "trainer.val_check_interval": "1",
             "trainer.check_val_every_n_epoch": "null", "data.num_workers": "0", **more}  # fmt: skip
    return [*words, *(f"--{name}={value}" for name, value in small.items())]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    return tmp_path


@pytest.mark.slow
def test_mmseg_s_commands_run(home: Path, ade20k_root: Path) -> None:
    folder = home / "configs/segnext"
    folder.mkdir(parents=True)
    write_configs(folder).rename(folder / T_CONFIG)
    (home / "configs/fcn.py").write_text(
        f"_base_ = 'segnext/{T_CONFIG}'\nmodel = dict(decode_head=dict(_delete_=True, type='FCNHead'))"
    )
    encoder = create_model("segnext_t", num_classes=150)
    torch.save({"state_dict": encoder.state_dict()}, home / "segnext_t.pth")
    said = commands("from-mmseg")
    assert len(said) == 6
    for words in said:
        words = [word.replace("~/ADEChallengeData2016", str(ade20k_root)) for word in words]
        more = {"data.crop": "[32,32]", "data.batch_size": "2", "model.weights": "segnext_t.pth"}
        more |= {"model.inference": "{mode: whole}"}
        assert main(tiny(words, **more)) == 0, words
    notes = [
        line for line in Path("mine.yaml").read_text().splitlines() if "rand_init" in line or "draws random" in line
    ]
    assert len(notes) == 1


def write_yolo(root: Path) -> None:
    """Polygons in YOLO's format."""
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 2)):
        for number in range(count):
            image, label = root / f"images/{split}/{number}.jpg", root / f"labels/{split}/{number}.txt"
            for path in (image, label):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(image)
            label.write_text("0 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6\n1 0.5 0.5 0.9 0.5 0.9 0.9\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [car, dog]\n")


@pytest.mark.slow
def test_ultralytics_commands_run(home: Path) -> None:
    write_yolo(home / "mydata")
    torch.save(create_model("mscan_t", num_classes=2).state_dict(), home / "mscan_t")  # a file of the name comes first
    said = commands("from-ultralytics")
    assert [words[0] for words in said] == ["data", "fit", "validate", "predict", "export"]
    for words in said[:4]:
        assert main(tiny(words, **{"data.crop": "[64,64]", "data.batch_size": "2"})) == 0, words


@pytest.mark.slow
def test_smp_s_and_timm_s_commands_run(home: Path, camvid_root: Path) -> None:
    write_cityscapes(home / "data/scenes")
    for words in (*commands("from-smp"), *commands("from-timm")):
        words = [str(camvid_root) if word == "~/camvid" else word for word in words]
        segments = "camvid_mobilenet_v2_deeplabv3plus" in words or "synthetic_segnext_t" in words
        more = {"data.crop": "[32,32]", "data.batch_size": "2"} if segments else {"data.batch_size": "8"}
        assert main(tiny(words, **more)) == 0, words


@pytest.mark.parametrize("name", ["from-smp", "from-timm"])
@pytest.mark.slow
def test_snippets_run(name: str) -> None:
    found: dict[str, Any] = {}
    for snippet in snippets(name):
        exec(snippet, found)
    assert "fv" in found


@pytest.mark.slow
def test_the_snippets_on_python_run(home: Path) -> None:
    found: dict[str, Any] = {}
    for snippet in snippets("python"):
        exec(snippet.replace('"max_steps": 300', '"max_steps": 1, "val_check_interval": 1').replace("=20", "=1"), found)
    run, comparison = found["run"], found["found"]
    assert isinstance(run, fv.TrainedRun)
    assert (comparison.score, list(comparison.results())) == ("accuracy", ["none", "se"])
    assert (comparison.directory / "comparison.html").is_file()
    assert "<td>se</td>" in comparison._repr_html_()


def test_every_name_of_the_package_is_described() -> None:
    assert all(re.search(rf"`fv\.{name}\b", TEXTS["python"]) for name in fv.__all__)
