"""Classifiers through the command: train, go on, score, predict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.models import create_model
from foveate.pipeline.runs.recipes import find_recipe, list_recipes, read_recipe

CLASSES = ("bee", "cat", "dog")
SMALL = [
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]
TINY = ["--model.network=mobilenet_v2_035", "--data.image_size=32", *SMALL]


def is_classifier(recipe: str) -> bool:
    return bool(read_recipe(find_recipe(recipe))["model"]["class_path"] == "ClassificationTask")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def write_images(folder: Path, classes: tuple[str, ...], count: int) -> None:
    for number, name in enumerate(classes):
        for index in range(count):
            pixels = np.random.default_rng([number, index]).integers(0, 256, (40, 48, 3), dtype=np.uint8)
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    """Nine train and six val images of three classes."""
    write_images(tmp_path / "animals" / "train", CLASSES, 3)
    write_images(tmp_path / "animals" / "val", CLASSES, 2)
    return tmp_path / "animals"


@pytest.fixture
def cifar_root(tmp_path: Path) -> Path:
    """A train and a val image of each class of CIFAR-10, in folders."""
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    for split in ("train", "val"):
        write_images(tmp_path / "cifar10" / split, names, 1)
    return tmp_path / "cifar10"


def fit(root: Path, *words: str) -> int:
    recipe = ["--config", "imagenet_mobilenet_v2", "--data.root", str(root)]
    return main(["fit", *recipe, *TINY, "--model.optimizer.lr=0.01", "--trainer.precision=32-true", *words])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def scores(name: str) -> Any:
    return json.loads(Path("runs/latest", name).read_text())


def figures(name: str) -> Any:
    """Scores without what they are of."""
    return {key: value for key, value in scores(name).items() if key != "evaluation"}


@pytest.mark.parametrize("recipe", [name for name in list_recipes() if is_classifier(name)])
def test_every_recipe_trains_two_steps(recipe: str, request: pytest.FixtureRequest) -> None:
    data = recipe.split("_")[0]
    roots = {"digits": None, "cifar10": "cifar_root", "imagenet": "folder_root", "patches": "cityscapes_root"}
    made = roots[data]
    root = [] if made is None else ["--data.root", str(request.getfixturevalue(made))]
    size = [] if recipe == "digits_vit_ti" else ["--data.image_size=32"]
    assert main(["fit", "--config", recipe, *root, *size, *SMALL]) == 0
    run = Path("runs/latest").resolve()
    assert run.parent.name == recipe
    for name in ("recipe.yaml", "metrics.csv", "summary.md", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (run / name).is_file()
    assert len(list((run / "overlays").rglob("*.png"))) == 1
    assert "| **all images** |" in (run / "summary.md").read_text()


def test_a_run_goes_on_and_validation_repeats(folder_root: Path) -> None:
    assert fit(folder_root) == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "5"]) == 0  # 3 an epoch
    rows = read_log(Path("runs/latest/metrics.csv"))
    assert [row["step"] for row in rows if row["train/loss"]] == ["1", "2", "3", "4", "5"]
    before = Path("runs/latest/val-last.json").read_text()
    assert main(["validate", "--ckpt_path", "last"]) == 0
    assert Path("runs/latest/val-last.json").read_text() == before
    assert sum(map(sum, json.loads(before)["confusion"])) == 6


@pytest.mark.parametrize("other", ["--model.optimizer.name=adamw", "--model.optimizer.layer_decay=0.5"])
def test_a_run_does_not_go_on_with_another_optimiser(
    other: str, folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder_root, "--model.mixing=null") == 0
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps=4", other]) == 4
    assert "the checkpoint was trained with sgd in" in last_line(capsys)


def test_a_test_without_a_test_split_says_that_it_scores_val(
    folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder_root) == 0
    assert main(["test", "--ckpt_path", "best"]) == 0
    assert "the figures below are of val" in capsys.readouterr().err
    assert figures("test-best.json") == figures("val-last.json")


def test_scores_of_other_data_do_not_replace_the_runs_own(folder_root: Path, tmp_path: Path) -> None:
    assert fit(folder_root) == 0
    assert main(["validate", "--ckpt_path", "best", "--data.eval_batch_size", "3"]) == 0
    before = Path("runs/latest/val-best.json").read_text()
    write_images(tmp_path / "zoo" / "train", CLASSES, 1)
    write_images(tmp_path / "zoo" / "val", CLASSES, 4)
    assert main(["validate", "--ckpt_path", "best", "--data.root", str(tmp_path / "zoo")]) == 0
    assert Path("runs/latest/val-best.json").read_text() == before
    (other,) = Path("runs/latest").glob("val-best-zoo-*.json")
    assert sum(json.loads(other.read_text())["images"].values()) == 12


def test_prediction_says_what_evaluation_says(folder_root: Path) -> None:
    assert fit(folder_root) == 0
    assert main(["predict", "--ckpt_path", "best", "--data.images", str(folder_root / "val"), "--out", "out"]) == 0
    rows = read_log(Path("out/predictions.csv"))
    assert [row["path"] for row in rows] == [f"{name}/{index}.png" for name in CLASSES for index in range(2)]
    counts = np.zeros((3, 3), dtype=int)
    for row in rows:
        counts[CLASSES.index(row["path"].split("/")[0]), CLASSES.index(row["class"])] += 1
        assert sum(float(row[f"probability{end}"]) for end in ("", "_2", "_3")) == pytest.approx(1, abs=1e-5)
    assert counts.tolist() == scores("val-last.json")["confusion"]
    assert [path.name for path in Path("out").iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize("views", ["flip", "ten_crop"])
def test_prediction_and_evaluation_average_the_same_views(views: str, folder_root: Path) -> None:
    crop = ["--data.crop_ratio=0.8", f"--data.eval_views={views}"]
    assert fit(folder_root, *crop) == 0
    assert main(["validate", "--ckpt_path", "best"]) == 0
    images = ["--data.images", str(folder_root / "val")]
    assert main(["predict", "--ckpt_path", "best", *images, "--out", "out"]) == 0
    assert main(["predict", "--ckpt_path", "best", *images, "--out", "one", "--data.eval_views", "center"]) == 0
    several, one = read_log(Path("out/predictions.csv")), read_log(Path("one/predictions.csv"))
    right = sum(row["path"].split("/")[0] == row["class"] for row in several)
    assert right == np.trace(scores("val-last.json")["confusion"])
    assert [row["probability"] for row in several] != [row["probability"] for row in one]


def test_a_damaged_image_is_named_and_the_others_are_predicted(
    folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder_root) == 0
    bad = folder_root / "val" / "cat" / "0.png"
    bad.write_bytes(bad.read_bytes()[:100])
    assert main(["predict", "--ckpt_path", "best", "--data.images", str(folder_root / "val"), "--out", "out"]) == 3
    assert f"1 images could not be read, the others are written: {bad}" in last_line(capsys)
    assert len(Path("out/predictions.csv").read_text().splitlines()) == 6


def test_a_moving_average_is_kept_and_a_run_with_one_goes_on(folder_root: Path) -> None:
    assert fit(folder_root, "--model.ema=0.9", "--trainer.max_steps=3") == 0
    checkpoint = torch.load("runs/latest/checkpoints/last.ckpt", weights_only=True)
    name = "network.head.classifier.weight"
    assert not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])
    before = scores("val-best.json")
    assert main(["validate", "--ckpt_path", "best"]) == 0
    best = torch.load("runs/latest/checkpoints/best.ckpt", weights_only=True)
    assert best["global_step"] == 2
    assert scores("val-best.json") == before
    assert main(["fit", "--ckpt_path", "last", "--trainer.max_steps", "5"]) == 0
    assert torch.load("runs/latest/checkpoints/last.ckpt", weights_only=True)["global_step"] == 5


@pytest.mark.slow
def test_weights_bring_the_normalisation_unless_the_recipe_says_it(
    folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = create_model("vit_ti", num_classes=3, image_size=32).state_dict()
    names = {name: name.removeprefix("encoder.").replace("head.classifier", "head") for name in state}
    torch.save({names[name]: tensor for name, tensor in state.items()}, "vit.pth")
    words = ["--model.network=vit_ti", "--model.network_options={image_size: 32}", "--model.weights=vit.pth"]
    assert fit(folder_root, *words) == 0
    assert "encoder 100.0%" in capsys.readouterr().err
    means = []
    explicit = ["--model.normalisation={mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2]}"]
    for more in ([], explicit):
        assert fit(folder_root, *words, *more) == 0
        checkpoint = torch.load("runs/latest/checkpoints/last.ckpt", weights_only=True)
        means.append(checkpoint["state_dict"]["normalise.mean"].flatten()[0].item())
    assert means == pytest.approx([127.5, 102.0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.network=segnext_t"], "labels pixels; to classify whole images name an encoder alone"),
        (["--model.loss=dice"], "the loss 'dice' does not take class numbers"),
        (["--model.loss=focal", "--model.mixing.mixup=0.5"], "the loss 'focal' does not take mixed labels"),
        (["--model.mixing.erasing=2"], "mixing: probability and erasing lie between 0 and 1"),
        (["--model.ema=1"], "ema is a decay between 0 and 1"),
        (["--model.optimizer.layer_decay=0"], "accepted: a finite number above 0 and at most 1"),
        (["--model.normalisation={mean: [123, 117, 104], std: [58, 57, 57]}"], "for images in 0-1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], message: str, folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder_root, *words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        ("camvid_segnext_t", "DigitsDataModule", "that is for ClassificationTask"),
        ("digits_vit_ti", "CamVidDataModule", "that is for SegmentationTask"),
    ],
)
def test_data_of_another_task_names_the_task(
    recipe: str, data: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.yaml").write_text(f"data: {{class_path: {data}}}")
    assert main(["fit", "--config", recipe, "--config", "mine.yaml"]) == 2
    assert message in last_line(capsys)


def run(*words: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "LOCAL_RANK"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "foveate.cli", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on_so_many(devices: str, *words: str) -> None:
    """Run the command in one process, this one, or in two."""
    words = (*words, "--trainer.devices", devices)
    if devices == "1":
        assert main([*words]) == 0
    else:
        run(*words)


@pytest.mark.slow
def test_two_processes_count_five_images_as_one_does(folder_root: Path) -> None:
    (folder_root / "val" / "cat" / "1.png").unlink()
    recipe = ["--config", "imagenet_mobilenet_v2", "--data.root", str(folder_root), *TINY]
    run("fit", *recipe, "--trainer.precision=32-true", "--model.mixing.mixup=0.2", "--trainer.devices=2")
    inside = scores("val-last.json")
    assert sum(map(sum, inside["confusion"])) == 5
    figures = []
    for devices in ("1", "2"):
        on_so_many(devices, "validate", "--ckpt_path", "last")
        figures.append(scores("val-last.json"))
    assert figures[0] == figures[1] == inside
    tables = []
    for devices in ("1", "2"):
        on_so_many(
            devices, "predict", "--ckpt_path", "last", "--data.images", str(folder_root / "val"), "--out", devices
        )
        tables.append(Path(devices, "predictions.csv").read_text())
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 6


def predicted(images: Path, *words: str) -> dict[str, str]:
    """Class by image, as `predict` has it."""
    assert main(["predict", "--data.images", str(images), "--out", "out", *words]) == 0
    return {row["path"]: row["class"] for row in read_log(Path("out/predictions.csv"))}


CLASSIFIERS = [name for name in list_recipes() if is_classifier(name)]


@pytest.mark.parametrize("recipe", CLASSIFIERS)
def test_prediction_takes_the_settings_of_evaluation_whatever_recipe_is_named(recipe: str) -> None:
    from foveate.cli import _import_named
    from foveate.pipeline.runs.data_modules import _data_module
    from foveate.pipeline.training.prediction import prepare
    from foveate.pipeline.training.request import Request

    _import_named()
    data = read_recipe(find_recipe(recipe))["data"]
    kind: Any = _data_module(data)
    own = kind(**data.get("init_args", {})).eval_transform
    checkpoint = {"foveate_recipe": {"data": data}, "hyper_parameters": {"labels": {"name": "a", "names": ["b"]}}}
    for other in CLASSIFIERS:
        named = Request(command="predict", recipe=read_recipe(find_recipe(other)), name=other, flags=[])
        settings = prepare(named, checkpoint).recipe["data"]["init_args"]
        expected = {"image_size": own.size, "crop_ratio": own.crop_ratio, "interpolation": own.interpolation}
        expected["eval_views"] = own.views
        assert settings == {**expected, "channels": 3}


def test_prediction_equals_validation_with_another_recipe_on_the_command_line(
    folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--data.crop_ratio=0.6", "--data.interpolation=bilinear"]
    assert fit(folder_root, *own) == 0
    path = str(Path("runs/latest/checkpoints/best.ckpt").resolve())
    expected = predicted(folder_root / "val", "--ckpt_path", path)
    named = ["--config", "imagenet_mobilenet_v2", "--model.network=mobilenet_v2_035", "--ckpt_path", path]
    assert predicted(folder_root / "val", *named) == expected
    capsys.readouterr()
    assert main(["validate", *named, "--data.root", str(folder_root), "--data.num_workers=0"]) == 0
    assert "evaluated as trained: image_size 32, not 224, crop_ratio 0.6, not 0.875" in capsys.readouterr().err


def test_an_explicit_flag_wins(folder_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(folder_root) == 0
    assert main(["validate", "--ckpt_path", "best", "--data.crop_ratio=1.0", "--data.interpolation=nearest"]) == 0
    assert "evaluated as trained" not in capsys.readouterr().err
    predicted(folder_root / "val", "--ckpt_path", "best", "--data.crop_ratio=1.0")


def weights_of(network: str, num_classes: int) -> str:
    torch.save(create_model(network, num_classes=num_classes).state_dict(), "w.pth")
    return "w.pth"


PUBLISHED = ["--config", "imagenet_mobilenet_v2", "--model.network=mobilenet_v2_035"]


def test_published_weights_are_scored_and_applied_without_a_training(
    folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ["--model.weights", weights_of("mobilenet_v2_035", 3)]
    data = ["--data.root", str(folder_root), "--data.num_workers=0", "--data.image_size=32"]
    for command in ("validate", "test"):
        assert main([command, *PUBLISHED, *weights, *data]) == 0
        printed = capsys.readouterr()
        out = printed.out + printed.err
        assert "weights of w.pth" in out
        assert "head    100.0%: 7 loaded" in out
    assert not Path("runs").exists()
    classes = predicted(folder_root / "val", *PUBLISHED, *weights, "--data.image_size=32")
    assert set(classes.values()) <= {"class 0", "class 1", "class 2"}


@pytest.mark.parametrize("command", ["validate", "test"])
def test_weights_without_a_head_are_not_scored(
    command: str, folder_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data.root", str(folder_root), "--data.num_workers=0", "--data.image_size=32"]
    assert main([command, *PUBLISHED, *data, "--model.weights", weights_of("mobilenet_v2_035", 5)]) == 4
    assert "cannot be scored or applied as it is: it has 5 classes, the data have 3" in last_line(capsys)
    state = torch.load("w.pth", weights_only=True)
    torch.save({name: value for name, value in state.items() if not name.startswith("head")}, "w.pth")
    assert main([command, *PUBLISHED, *data, "--model.weights", "w.pth"]) == 4
    assert "7 tensors of the head are not in it" in last_line(capsys)


def test_prediction_needs_a_head_too(folder_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(create_model("mobilenet_v2_035", num_classes=2).encoder.state_dict(), "w.pth")
    words = [*PUBLISHED, "--model.weights", "w.pth", "--data.images", str(folder_root)]
    assert main(["predict", *words]) == 4
    assert "holds no classifier for mobilenet_v2_035" in last_line(capsys)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_weights_or_a_checkpoint_are_needed_and_not_both(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *PUBLISHED]) == 2
    assert "which weights? give --ckpt_path CHECKPOINT, best or last, or --config RECIPE" in last_line(capsys)
    for name in ("a.ckpt", "w.pth"):
        Path(name).touch()
    assert main([command, *PUBLISHED, "--ckpt_path", "a.ckpt", "--model.weights", "w.pth"]) == 2
    assert "either --ckpt_path" in last_line(capsys)


def test_words_of_a_run_name_its_checkpoint(folder_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "export", "best", "w.safetensors"]) == 4
    assert "train first" in last_line(capsys)
    assert fit(folder_root) == 0
    assert main(["weights", "export", "best", "w.safetensors", "--layout", "torchvision"]) == 0
    assert main(["weights", "show", "last"]) == 0
    assert "mobilenet_v2_035, layout foveate" in capsys.readouterr().out
