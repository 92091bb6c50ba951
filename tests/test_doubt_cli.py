"""`foveate data doubt` with real trainings: planted faults are found, and page, table, list and figures agree."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.tests.faults.conftest import COMMON, TINY, Range, finish, range_, start  # noqa: F401  a fixture

LIMIT = 120
PLANTED = "4.png"
BLOCK = 12  # pixels
STEPS = 150
TRAINED = ("--model.optimizer.lr=0.01", f"--trainer.max_steps={STEPS}", "--trainer.val_check_interval=50")


def plant(range_: Range) -> None:  # noqa: F811
    """Draw larger shapes, and give one of them in a training image the label of another class."""
    rng = np.random.default_rng(7)
    for path in sorted((range_.root / "images").rglob("*.png")):
        shown = np.repeat(np.repeat(rng.integers(0, 3, (2, 3), dtype=np.uint8), BLOCK, 0), BLOCK, 1)
        image = (shown[..., None] * 80 + rng.integers(0, 60, (*shown.shape, 3))).astype(np.uint8)
        Image.fromarray(image).save(path)
        if path.parent.name == "train" and path.name == PLANTED:
            shown[:BLOCK, BLOCK : 2 * BLOCK] = (shown[0, BLOCK] + 1) % 3
        Image.fromarray(shown).save(range_.root / "masks" / path.parent.name / path.name)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "doubts.csv").open() as file:
        return list(csv.DictReader(file))


def recipe_flags(range_: Range) -> list[str]:  # noqa: F811
    common = [word for word in COMMON if word.startswith(("--data.", "--model.", "--trainer."))]
    common = [word for word in common if "optimizer.lr" not in word and "val_check" not in word]
    return [*common, f"--plugins={TINY}", f"--data.root={range_.root}", "--data.num_workers=0", *TRAINED]


@pytest.mark.slow
def test_a_planted_fault_is_doubted_first(range_: Range) -> None:  # noqa: F811
    plant(range_)
    code, output = finish(start(range_.folder, range_.words(*TRAINED, record=None, steps=STEPS)), LIMIT)
    assert code == 0, output
    checkpoint = str(range_.run / "checkpoints" / "last.ckpt")
    words = ["data", "doubt", checkpoint, "--min_area=8", "--band=1", f"--plugins={TINY}", "--json=figures.json"]
    code, output = finish(start(range_.folder, words), LIMIT)
    assert code == 0, output
    folder = range_.run / "doubt" / "train"
    rows = rows_of(folder)
    assert Path(rows[0]["image"]).name == PLANTED
    x0, y0, x1, y1 = (int(rows[0][name]) for name in ("x0", "y0", "x1", "y1"))
    assert max(abs(x0 - BLOCK), abs(y0), abs(x1 - 2 * BLOCK), abs(y1 - BLOCK)) <= 4
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    listed = (folder / "relabel.txt").read_text().splitlines()
    assert listed == list(dict.fromkeys(row["image"] for row in rows))
    page = (folder / "doubts.html").read_text()
    assert page.count('<div class="card">') == len(rows)
    assert f"1. labelled {rows[0]['labelled']}, predicted {rows[0]['predicted']}" in page
    figures = json.loads((range_.folder / "figures.json").read_text())
    assert [doubt["score"] for doubt in figures["doubts"]] == scores
    assert np.sum(figures["confusion"]) == 10 * 6 * BLOCK**2


@pytest.mark.slow
def test_networks_are_asked_about_what_they_did_not_see(range_: Range) -> None:  # noqa: F811
    plant(range_)
    words = ["data", "doubt", "folder_segnext_t", "--folds=2", "--min_area=8", "--band=1", *recipe_flags(range_)]
    code, output = finish(start(range_.folder, [*words, "--model.network=noisy+line"]), 2 * LIMIT)
    assert code == 0, output
    folder = range_.folder / "doubts" / "folder_segnext_t"
    assert "of 10 images of train" in output
    assert Path(rows_of(folder)[0]["image"]).name == PLANTED
    before = (folder / "doubts.csv").read_text()
    code, output = finish(start(range_.folder, [*words, "--model.network=noisy+line"]), LIMIT)
    assert code == 0, output
    assert output.count("trained before") == 2
    assert (folder / "doubts.csv").read_text() == before
    code, output = finish(start(range_.folder, [*words, "--model.network=noisy+line", "--model.ema=0.9"]), LIMIT)
    assert code == 2, output
    assert "with other settings (flags " in output


@pytest.mark.slow
def test_images_with_the_class_of_another_are_doubted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 4)):
        for number, name in enumerate(("dark", "light")):
            for image in range(count):
                path = tmp_path / "data" / split / name / f"{image}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                shown = 1 - number if (split, image) == ("val", 3) else number
                Image.fromarray((60 + 120 * shown + rng.integers(0, 40, (32, 32, 3))).astype(np.uint8)).save(path)
    words = ["fit", "--config=digits_mobilenet_v2", "--data=ImageFolderDataModule", "--data.root=data"]
    words += ["--data.image_size=32", "--data.num_workers=0", "--trainer.max_epochs=20", "--data.batch_size=8"]
    words += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--pictures.count=0"]
    code, output = finish(start(tmp_path, words), LIMIT)
    assert code == 0, output
    code, output = finish(start(tmp_path, ["data", "doubt", "last", "--split=val", "--out=doubts"]), LIMIT)
    assert code == 0, output
    rows = rows_of(tmp_path / "doubts")
    assert {row["image"].split("val/")[1] for row in rows[:2]} == {"dark/3.png", "light/3.png"}
    assert "x0" not in rows[0]
    assert "<figcaption>the image</figcaption>" in (tmp_path / "doubts" / "doubts.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["synthetic_segnext_t"], 2, "is a recipe: give a checkpoint, or train networks with --folds 5"),
        (["synthetic_segnext_t", "--folds", "1"], 2, "folds is at least 2, not 1"),
        (["synthetic_segnext_t", "--folds", "2", "--split", "val"], 2, "leave --split out"),
        (["nowhere.ckpt"], 4, "nowhere.ckpt: no such checkpoint"),
        (["nowhere.ckpt", "--min_area", "0"], 2, "min_area at least 1"),
        (["nowhere.ckpt", "--split", "test"], 2, "accepted: train, val"),
    ],
)
def test_mistakes_are_one_line(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "doubt", *words]) == code
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_the_documented_commands_run_as_they_stand(range_: Range, root: Path) -> None:  # noqa: F811
    section = (root / "docs" / "evaluation.md").read_text().split("## Doubted labels")[1].split("\n## ")[0]
    commands = re.findall(r"^    foveate (.*?)(?: {2,}#.*)?$", section, flags=re.MULTILINE)
    assert len(commands) == 3
    range_.root.rename(range_.folder / "mydata")
    small = [word for word in recipe_flags(range_) if "data.root" not in word and not word.startswith("--trainer.max")]
    small += ["--model.network=noisy+line", "--trainer.max_steps=4", "--trainer.val_check_interval=2"]
    words = ["fit", "--config=folder_segnext_t", "--data.root=mydata", "--pictures.count=0", *small]
    code, output = finish(start(range_.folder, words), LIMIT)
    assert code == 0, output
    for command in commands:
        more = small if "--folds" in command else [f"--plugins={TINY}"]
        code, output = finish(start(range_.folder, [*shlex.split(command), *more]), 3 * LIMIT)
        assert code == 0, output
        assert "open it in a browser" in output
