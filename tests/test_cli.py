"""The command as users meet it: what it prints, and how it ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import COMMANDS, main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.runs.recipes import find_recipe, list_recipes, read_recipe

SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]

MADE = {  # the fixture of data in a recipe's layout, by the beginning of its name
    **{name: f"{name}_root" for name in ("camvid", "ade20k", "voc2012", "coco_stuff164k", "loveda", "potsdam")},
    "folder": "camvid_root",
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def fit(root: Path, *words: str, recipe: str = "synthetic_segnext_t") -> int:
    return main(["fit", "--config", recipe, "--data.root", str(root), *SMALL, *words])


def is_segmenter(recipe: str) -> bool:
    return bool(read_recipe(find_recipe(recipe))["model"]["class_path"] == "SegmentationTask")


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # parallel test processes set it
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"foveate {command}" in text
    assert len(text.splitlines()) <= 45
    assert main(["--help"]) == 0
    assert COMMANDS[command].example in capsys.readouterr().out


def test_the_full_help_tells_every_trainer_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help-all"]) == 0
    assert "--trainer.gradient_clip_val" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ftt"], 2, "did you mean 'fit'"),
        (["--helpp"], 2, "did you mean '--help'"),
        (["train"], 2, "did you mean 'fit'"),
        (["evaluate"], 2, "did you mean 'validate'"),
        (["data", "mkae"], 2, "did you mean 'make'"),
        (["data", "make"], 2, "root"),
        (["data", "make", "x", "--size", "12"], 2, "256x512"),
        (["fit", "--config", "camvid_segnxt_t"], 2, "did you mean 'camvid_segnext_t'"),
        (["fit", "--config", "camvid_segnext_t"], 2, "--data.root"),
        (["fit", "--config", "camvid_segnext_t", "--data.root", "/nope"], 3, "/nope: no such folder"),
        (["fit", "--config", "camvid_segnext_t", "--model.netwrk", "x"], 2, "did you mean '--model.network'"),
        (["fit", "--config", "camvid_segnext_t", "--trainer.max_stps", "1"], 2, "did you mean '--trainer.max_steps'"),
        (["fit", "--config", "camvid_segnext_t", "--model.network", "segnxt_t"], 2, "did you mean 'segnext_t'"),
        (["fit", "--config", "camvid_segnext_t", "--model.attention.gate", "lkaa"], 2, "did you mean 'lka'"),
        (["fit", "--config", "camvid_segnext_t", "--model.attention.input", "se"], 2, "leave the mask behind"),
        (["fit", "--config", "camvid_segnext_t", "--model.optimizer.lr", "fast"], 2, "lr fast: accepted: a number"),
        (["validate", "--ckpt_path", "nope.ckpt"], 4, "nope.ckpt: no such checkpoint"),
        (["fit", "--ckpt_path", "last"], 4, "no run with a 'last' checkpoint"),
        (["predict", "--data.images", "x"], 2, "--ckpt_path"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert error.startswith("foveate: ERROR")
    assert not Path("runs").exists()


SLOW = [pytest.param(words, marks=pytest.mark.slow) for words in ("config show digits_vit_ti", "options model")]


@pytest.mark.parametrize("command", ["recipes list", "models list", "plugins list", "--help", *SLOW])
def test_a_reader_that_has_read_enough_ends_it_quietly(command: str) -> None:
    words = [sys.executable, "-m", "foveate.cli", *command.split()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 141)


def test_a_bug_in_the_handling_of_a_mistake_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def handle(words: list[str]) -> int:
        try:
            raise ConfigError("the mistake")
        except ConfigError:
            raise AttributeError("the bug")  # noqa: B904

    monkeypatch.setattr("foveate.cli._dispatch", handle)
    assert main(["fit"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "ERROR bug: AttributeError: the bug" in error


def segmenters() -> list[Any]:
    """Every segmentation recipe; those of SegNeXt-B and -L, whose code is that of -T and -S, are slow."""
    large = [pytest.mark.slow]
    names = [name for name in list_recipes() if is_segmenter(name)]
    return [pytest.param(name, marks=large if name.endswith(("segnext_b", "segnext_l")) else []) for name in names]


@pytest.mark.parametrize("recipe", segmenters())
def test_every_recipe_trains_two_steps(
    recipe: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    root = request.getfixturevalue(
        next((made for name, made in MADE.items() if recipe.startswith(name)), "cityscapes_root")
    )
    small = ["--model.inference.size=[64,64]", "--model.inference.stride=[48,48]"]
    if "short_side" in find_recipe(recipe).read_text():
        small += ["--model.inference.short_side=32", "--data.short_side=32"]
    assert fit(root, *small, recipe=recipe) == 0
    run = Path("runs/latest").resolve()
    assert run.parent.name == recipe
    for name in ("recipe.yaml", "metrics.csv", "summary.md", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (run / name).is_file()
    assert len(list((run / "overlays").rglob("*.png"))) >= 2
    assert "train/loss" in (run / "metrics.csv").read_text()


def test_a_run_goes_on_in_its_directory(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root) == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "4"]) == 0
    assert [run.name for run in Path("runs/synthetic_segnext_t").glob("0*")] == ["0001"]
    steps = [line.split(",")[0] for line in Path("runs/latest/metrics.csv").read_text().splitlines()[1:]]
    assert steps == sorted(steps, key=int)
    assert steps[-1] == "4"


def test_a_flag_wins_over_what_the_checkpoint_remembers(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root) == 0
    more = ["--trainer.max_steps=4", "--model.optimizer.lr=0.5", "--model.schedule.name=constant"]
    assert main(["fit", "--ckpt_path", "last", *more]) in (0, 6)
    rows = Path("runs/latest/metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("train/lr")
    rates = [float(row.split(",")[column]) for row in rows[1:] if row.split(",")[column]]
    assert rates[2] == pytest.approx(0.5)


@pytest.mark.slow
def test_validation_repeats_and_prediction_repeats(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root) == 0
    before = Path("runs/latest/val-last.json").read_text()
    assert main(["validate", "--ckpt_path", "last"]) == 0
    assert Path("runs/latest/val-last.json").read_text() == before
    images = str(cityscapes_root / "leftImg8bit" / "val")
    for out in ("one", "two"):
        assert main(["predict", "--ckpt_path", "last", "--data.images", images, "--out", out]) == 0
    files = sorted(Path("one").rglob("*.png"))
    assert len(files) == 6
    assert all(file.read_bytes() == Path("two", *file.parts[1:]).read_bytes() for file in files)


def test_predictions_keep_folders_and_names_apart(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root) == 0
    for name, size in (("a.png", (33, 70)), ("a.jpg", (64, 40)), ("sub/b ü.png", (7, 5))):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((*size, 3), dtype=np.uint8)).save(Path("photos", name))
    assert main(["predict", "--ckpt_path", "best", "--data.images", "photos", "--out", "out"]) == 0
    sizes = {str(p.relative_to("out/labels")): size_of(p) for p in Path("out/labels").rglob("*.png")}
    assert sizes == {"a.png.png": (70, 33), "a.jpg.png": (40, 64), "sub/b ü.png": (5, 7)}


def test_a_damaged_image_is_named_and_the_others_are_predicted(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root) == 0
    images = sorted((cityscapes_root / "leftImg8bit" / "val").rglob("*.png"))
    images[0].write_bytes(images[0].read_bytes()[:300])
    assert main(["predict", "--ckpt_path", "best", "--data.images", str(images[0].parent), "--out", "out"]) == 3
    assert f"1 images could not be read, the others are written: {images[0]}" in last_line(capsys)
    assert sorted(path.name for path in Path("out/labels").iterdir()) == [path.name for path in images[1:]]


def test_a_checkpoint_away_from_its_run_brings_its_recipe(cityscapes_root: Path, tmp_path: Path) -> None:
    assert fit(cityscapes_root) == 0
    shutil.copy("runs/latest/checkpoints/best.ckpt", tmp_path / "model.ckpt")
    shutil.rmtree("runs")
    assert main(["validate", "--ckpt_path", "model.ckpt"]) == 0


@pytest.mark.slow
def test_the_weights_to_start_from_are_needed_only_then(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = create_model("segnext_t", num_classes=19).encoder
    torch.save(encoder.state_dict(), "start.pth")
    assert fit(cityscapes_root, "--model.weights=start.pth") == 0
    Path("start.pth").unlink()
    assert main(["validate", "--ckpt_path", "last"]) == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "3"]) == 0
    assert fit(cityscapes_root, "--model.weights=start.pth") == 4
    assert "start.pth: no such weights file" in last_line(capsys)
    assert len(list(Path("runs/synthetic_segnext_t").glob("0*"))) == 1


def test_a_checkpoint_of_another_model_is_refused(
    cityscapes_root: Path, camvid_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root) == 0
    path = str(Path("runs/latest/checkpoints/last.ckpt").resolve())
    words = ["validate", "--ckpt_path", path, "--config", "camvid_segnext_t", "--data.root", str(camvid_root)]
    assert main(words) == 4
    assert "[19, 256, 1, 1] in the file, [11, 256, 1, 1] in the model" in last_line(capsys)


def test_a_loss_that_is_not_finite_ends_with_6(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root, "--model.optimizer.lr=1e30", "--trainer.max_steps=20") == 6
    assert "ERROR diverged: the loss is" in last_line(capsys)


def test_what_diverged_does_not_replace_the_last_checkpoint(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cityscapes_root) == 0
    last = Path("runs/latest/checkpoints/last.ckpt")
    before = last.read_bytes()
    more = ["--trainer.max_steps=20", "--model.optimizer.lr=1e30", "--model.schedule.name=constant"]
    assert main(["fit", "--ckpt_path", "last", *more]) == 6
    assert last.read_bytes() == before
    assert "last.ckpt (step 2); resume: foveate fit --ckpt_path" in last_line(capsys)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_label_id_out_of_range_names_the_file(
    cityscapes_root: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (cityscapes_root / "gtFine" / "train").rglob("*labelIds.png"):
        Image.fromarray(np.full((64, 128), 77, dtype=np.uint8)).save(path)
    assert fit(cityscapes_root, f"--data.num_workers={workers}") == 3
    line = last_line(capsys)
    assert "labelIds.png: label id out of range: 77 (8192 px)" in line
    assert "resume" not in line


def test_a_missing_mask_and_an_empty_split_end_with_3(
    cityscapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = sorted((cityscapes_root / "gtFine" / "val").rglob("*labelIds.png"))
    masks[0].unlink()
    assert fit(cityscapes_root) == 3
    assert "has no label map" in last_line(capsys)
    shutil.rmtree(cityscapes_root / "leftImg8bit" / "val" / "frankfurt")
    assert fit(cityscapes_root) == 3
    assert "no images in the val split" in last_line(capsys)


def test_labels_that_are_all_void_end_with_3(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (cityscapes_root / "gtFine" / "val").rglob("*labelIds.png"):
        Image.fromarray(np.zeros((64, 128), dtype=np.uint8)).save(path)
    assert fit(cityscapes_root) == 3
    assert "no labelled pixel" in last_line(capsys)


def test_test_on_cityscapes_says_that_it_scores_val(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(cityscapes_root) == 0
    capsys.readouterr()
    assert main(["test", "--ckpt_path", "last"]) == 0
    assert "the figures below are of val" in capsys.readouterr().err


def test_bf16_trains_with_a_finite_loss(cityscapes_root: Path) -> None:
    assert fit(cityscapes_root, "--trainer.precision=bf16-mixed") == 0


def test_data_check_lists_every_fault_at_once(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(cityscapes_root)]) == 0
    images = sorted((cityscapes_root / "leftImg8bit" / "train").rglob("*.png"))
    for path in images[:2]:
        path.write_bytes(path.read_bytes()[:200])
    assert main(["data", "check", str(cityscapes_root)]) == 3
    printed = capsys.readouterr()
    assert all(path.name in printed.out for path in images[:2])
    assert "2 image files that cannot be read" in printed.out
    assert "1 fault and " in printed.err
