"""A stranger's way with a data set: make a package, install it, and use it by name in every command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow
SMALL = [
    *("--data.batch_size=2", "--data.num_workers=0", "--data.crop=[32,32]", "--trainer.max_steps=2"),
    *("--trainer.val_check_interval=1", "--trainer.accelerator=cpu", "--trainer.precision=32-true"),
    *("--model.schedule.warmup_steps=0", "--pictures.count=0"),
]
DATA_COMMANDS = {  # what each prints of the data set
    "check": "no fault found",
    "pack": "train: 4 images in ",
    "view": "view.html written",
    "stats": "class_weights: [",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing installed but the data set, made from the template."""
    work, target = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("site")
    done = foveate("plugins", "new", "--data", "my-set", cwd=work)
    assert done.returncode == 0, done.stderr
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(work / "my-set")], cwd=work, check=True)
    shutil.copytree(work / "my-set/tests", target / "its_tests")
    return target


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four train and two val images in the layout of the template."""
    label = np.repeat([[0, 1]], 32, axis=1).repeat(48, axis=0).astype(np.uint8)
    for split, count in (("train", 4), ("val", 2)):
        (tmp_path / "data" / split).mkdir(parents=True)
        for number in range(count):
            image = np.random.default_rng([count, number]).integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "data" / split / f"{number}.jpg")
            Image.fromarray(label).save(tmp_path / "data" / split / f"{number}_label.png")
    return tmp_path / "data"


def foveate(*words: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with what is installed in `site`."""
    call = [sys.executable, "-m", "foveate.cli", *words]
    return subprocess.run(call, cwd=cwd, env=with_site(site), capture_output=True, text=True, timeout=300)


def with_site(site: Path | None) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(site or ""), os.environ.get("PYTHONPATH")]))
    settings = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": path, "FOVEATE_RUN_DIR": ""}
    return settings | {"FOVEATE_PLUGINS": "my-set"}  # no other plugin of this machine has a say


def succeed(*words: str, cwd: Path, site: Path) -> str:
    done = foveate(*words, cwd=cwd, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_and_keeps_the_rules(site: Path, data: Path, tmp_path: Path) -> None:
    listed = succeed("plugins", "list", "--what", "data", cwd=tmp_path, site=site)
    assert re.search(r"^my-set +data set +- +my-set 0\.1\.0 ", listed, re.MULTILINE)
    checked = succeed("plugins", "check", "my-set", "--root", str(data), cwd=tmp_path, site=site)
    assert len(re.findall(r" passed ", checked)) == 8
    assert "train 4, val 2" in checked


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_data_commands_recognise_its_folder(command: str, site: Path, data: Path, tmp_path: Path) -> None:
    said = succeed("data", command, str(data), cwd=tmp_path, site=site)
    assert "has the layout of my-set" in said
    assert DATA_COMMANDS[command] in said


def test_it_trains_by_name_and_its_run_goes_on_without_naming_it(site: Path, data: Path, tmp_path: Path) -> None:
    words = ["--config", "folder_segnext_t", "--data", "my-set", "--data.root", str(data)]
    succeed("fit", *words, *SMALL, cwd=tmp_path, site=site)
    recipe = (tmp_path / "runs/latest/recipe.yaml").read_text()
    assert "class_path: my_set.data.MySetDataModule" in recipe
    assert "thing" in succeed("validate", "--ckpt_path", "best", cwd=tmp_path, site=site)
    succeed("fit", "--ckpt_path", "last", "--trainer.max_steps=4", cwd=tmp_path, site=site)
    assert "step 4" in succeed("validate", "--ckpt_path", "last", cwd=tmp_path, site=site)
    predict = ["--ckpt_path", "best", "--data.images", str(data / "val/0.jpg"), "--out", "labelled"]
    succeed("predict", *predict, cwd=tmp_path, site=site)
    assert list((tmp_path / "labelled").rglob("*.png"))
    refuse_what_is_not_offered(tmp_path / "runs/latest", cwd=tmp_path, site=site)
    gone = foveate("validate", "--ckpt_path", "best", cwd=tmp_path)
    assert gone.returncode == 2
    assert "class_path 'my_set.data.MySetDataModule' is refused" in gone.stderr


def refuse_what_is_not_offered(run: Path, *, cwd: Path, site: Path) -> None:
    """A recipe that names a class of another installed module is refused, and the module is not imported."""
    (site / "sneaky.py").write_text("print('imported')\nclass MySetDataModule: ...\n")
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace("my_set.data.MySet", "sneaky.MySet"))
    done = foveate("validate", "--ckpt_path", "best", cwd=cwd, site=site)
    assert done.returncode == 2
    assert "class_path 'sneaky.MySetDataModule' is refused" in done.stderr
    assert "imported" not in done.stdout
    (run / "recipe.yaml").write_text(recipe)


def test_the_tests_of_the_template_pass(site: Path, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(site / "its_tests")]
    call = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(call, cwd=tmp_path, env=with_site(site), capture_output=True, text=True, timeout=300)
    assert "12 passed" in done.stdout, done.stdout
