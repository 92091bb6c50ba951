"""`import foveate as fv`: nothing heavy at import, and training, comparing and applying from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import foveate as fv
from foveate.datasets.class_lists.cityscapes import CITYSCAPES
from foveate.datasets.classes import ClassSet
from foveate.pipeline import cards
from foveate.pipeline.api.comparing import Comparison
from foveate.pipeline.api.overrides import flags_of
from foveate.pipeline.comparison.table import Row
from foveate.pipeline.errors import ConfigError
from foveate.tests.test_startup import HEAVY, imported_by

ONE_STEP = {"max_steps": 1, "max_epochs": -1, "val_check_interval": 1, "check_val_every_n_epoch": None}


def test_the_import_and_the_lists_are_light() -> None:
    assert not imported_by("import foveate as fv; dir(fv)") & HEAVY
    assert not imported_by("import foveate as fv; fv.list_blocks(); fv.list_models()") & HEAVY


def test_every_name_can_be_had() -> None:
    assert all(callable(getattr(fv, name)) for name in fv.__all__)
    assert set(fv.__all__) == set(fv.HOMES)
    assert fv.create_model("mobilenet_v2_035", num_classes=2, attention={"block": "se"}) is not None


FLAGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a text": ({"data": {"root": "my data"}}, ["--data.root=my data"]),
    "nothing": ({"trainer": {"check_val_every_n_epoch": None}}, ["--trainer.check_val_every_n_epoch=null"]),
    "a pair": ({"data": {"crop": (64, 32)}}, ["--data.crop=[64, 32]"]),
    "a path": ({"plugins": Path("a/b.py")}, ["--plugins=a/b.py"]),
    "a switch": ({"report": False}, ["--report=false"]),
    "a group": ({"model": {"optimizer": {"lr": 0.001}}}, ["--model.optimizer.lr=0.001"]),
    "a mapping": ({"model": {"network_options": {"rank": 16}}}, ["--model.network_options={rank: 16}"]),
    "a block": (
        {"model": {"attention": {"gate": {"name": "lka", "kernel": 35}}}},
        ["--model.attention.gate={name: lka, kernel: 35}"],
    ),
}


@pytest.mark.parametrize("case", FLAGS)
def test_arguments_become_flags(case: str) -> None:
    given, flags = FLAGS[case]
    assert flags_of(given) == flags


def test_a_part_that_is_no_mapping_is_explained() -> None:
    with pytest.raises(ConfigError, match="data is a mapping of its options"):
        fv.fit("digits_mobilenet_v2", data="digits")


def test_an_unknown_recipe_and_option_get_a_hint() -> None:
    with pytest.raises(ConfigError, match="did you mean 'digits_mobilenet_v2'"):
        fv.fit("digits_mobilenet")
    with pytest.raises(ConfigError, match="no option '--sede'; did you mean"):
        fv.compare("digits_mobilenet_v2", sede=3)
    with pytest.raises(ConfigError, match="use the command"):
        fv.fit("digits_mobilenet_v2", dry_run=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def run(home: Path) -> fv.TrainedRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("FOVEATE_RUN_DIR", "")
        found: fv.TrainedRun = fv.fit(
            "digits_mobilenet_v2", trainer={**ONE_STEP, "log_every_n_steps": 1}, data={"num_workers": 0}
        )
    return found


@pytest.mark.slow
def test_a_training_gives_its_run(run: fv.TrainedRun, home: Path) -> None:
    assert run.directory.resolve() == (home / "runs/digits_mobilenet_v2/0001").resolve()
    assert run.checkpoint.name == "best.ckpt"
    assert 0 <= run.scores["acc"] <= 1
    assert [step for step, _ in run.curves["train/loss"]] == [1]
    assert run.recipe["trainer"]["max_steps"] == 1


@pytest.mark.slow
def test_a_run_shows_itself_and_predicts(run: fv.TrainedRun) -> None:
    shown = run._repr_html_()
    assert "<th>validation</th>" in shown
    assert "data:image/png;base64," in shown
    result = run.predictor(device="cpu")(np.zeros((28, 28, 3), np.uint8))
    assert isinstance(result, fv.Classification)


@pytest.mark.slow
def test_a_recipe_may_be_its_content(run: fv.TrainedRun, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    again = fv.fit(run.recipe, seed_everything=5)
    assert again.recipe["seed_everything"] == 5
    assert again.directory != run.directory


def test_a_comparison_that_failed_shows_itself() -> None:
    shown = Comparison(Path("out"), [Row("<i>", "broken", None, {})], "mIoU")._repr_html_()
    assert "&lt;i&gt;" in shown
    assert "mIoU % (95 %)" in shown


def test_a_segmentation_shows_overlay_and_classes() -> None:
    labels = np.zeros((4, 6), np.uint8)
    labels[0] = 2
    found = fv.Segmentation(
        name="<street>",
        image=np.zeros((4, 6, 3), np.uint8),
        labels=labels,
        confidence=np.ones((4, 6), np.float32),
        label_set=CITYSCAPES,
    )
    shown = found._repr_html_()
    assert "&lt;street&gt;" in shown
    assert "<td>road</td><td>75.0 %</td>" in shown
    assert "data:image/png;base64," in shown


def test_a_classification_shows_its_classes() -> None:
    labels = ClassSet(name="animals", names=("cat", "dog"))
    found = fv.Classification(name="a.jpg", probabilities=np.array([0.25, 0.75], np.float32), label_set=labels)
    assert "<tr><td>dog</td><td>75.0 %</td></tr><tr><td>cat</td>" in found._repr_html_()


def test_large_pictures_are_reduced() -> None:
    assert len(cards.picture(Image.new("RGB", (4000, 3000)))) < 20_000


@pytest.mark.slow
def test_a_script_is_not_run_again_by_the_process_that_measures(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from foveate.pipeline.measuring.costs import in_fresh_process\nprint('ran', in_fresh_process(len, 'abc'))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "ran 3\n"
