"""Folders of images and masks of every kind, trained through the command line without any code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.datasets.batch import SegmentationBatch
from foveate.pipeline.runs.recipes import read_recipe
from foveate.pipeline.segmentation import SegmentationTask
from foveate.tests.datasets.annotations.conftest import EXPORTS, SCENE
from foveate.tests.datasets.drawn_masks import KINDS, LISTED, SIZE, Kind, drawing, write_data_set
from foveate.tests.datasets.folders.arrangements import LAYOUTS

WHOLE = ["--data.scale", "[1,1]", "--data.flip", "0", "--data.max_ratio", "1", "--data.crop", f"{SIZE[0]}x{SIZE[1]}"]
SMALL = [
    *("--data.batch_size=2", "--data.num_workers=0", "--trainer.max_steps=2", "--trainer.val_check_interval=1"),
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--pictures.count=0"),
    *("--trainer.precision=32-true", "--model.schedule.warmup_steps=0"),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """The masks that reached the loss, by the name of their image."""
    seen: dict[str, np.ndarray] = {}
    original = SegmentationTask.compute_loss

    def spy(self: SegmentationTask, batch: SegmentationBatch) -> torch.Tensor:
        seen.update({Path(path).name: mask.numpy() for path, mask in zip(batch["path"], batch["mask"], strict=True)})
        return original(self, batch)

    monkeypatch.setattr(SegmentationTask, "compute_loss", spy)
    return seen


def fit(root: Path, *words: str) -> int:
    return main(["fit", "--config", "folder_segnext_t", "--data.root", str(root), *SMALL, *WHOLE, *words])


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_mask_reaches_the_loss_as_it_was_drawn(
    name: str, tmp_path: Path, fed: dict[str, np.ndarray]
) -> None:
    kind = KINDS[name]
    expected = write_data_set(tmp_path / "mine", kind, {"train": 4, "val": 2})
    words = [f"--data.{key}={value}".lower() for key, value in kind.options.items()]
    small = ["--model.network=mobilenet_v2_050+linear_head", "--model.attention={}"]
    assert fit(tmp_path / "mine", *small, *words) == 0
    assert len(fed) == 4
    for image, mask in fed.items():
        assert np.array_equal(mask, expected[image]), image


def test_an_unnamed_set_says_what_it_took_for_what_and_the_run_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_set(tmp_path / "mine", KINDS["values, unnamed"], {"train": 2, "val": 1})
    assert fit(tmp_path / "mine") == 0
    out = capsys.readouterr().err
    assert "images/<split>/ with masks/<split>/, paired by name; splits by folder: train 2, val 1" in out
    assert "3 classes taken from 3 masks: 0 is 'class_0'" in out
    assert "ignored: 255 (6.2 %)" in out
    kept = read_recipe(Path("runs/latest/recipe.yaml"))["data"]["init_args"]["classes"]
    assert [one["name"] for one in kept["classes"]] == ["class_0", "class_1", "class_2"]
    (tmp_path / "mine/classes.yaml").write_text("classes: [other, names, here]\n")
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert "class_2" in capsys.readouterr().out


REFUSED = {
    "a JPEG": (Kind(KINDS["binary JPEG"].store), "3 of 3 masks are JPEG files, .*--data.masks binary"),
    "a colour in no class": (
        Kind(KINDS["colours"].store, KINDS["colours"].classes.replace("244, 35, 232", "244, 35, 231")),
        r"a colour: \[244, 35, 232\] \(\d+ px\) in no class",
    ),
    "a value in no class": (Kind(KINDS["values"].store, "classes: [ground, car]\n"), r"label id out of range: 2 \("),
    "only void": (
        Kind(lambda path, drawn: KINDS["values"].store(path, np.full_like(drawn, 255))),
        r"masks hold 255 \(1e\+02 %\); with 255 ignored that is no class",
    ),
    "one class": (
        Kind(lambda path, drawn: KINDS["values"].store(path, np.where(drawn == 1, 1, 255).astype(np.uint8))),
        "the class 1 only, and a network cannot learn from it",
    ),
    "instances": (
        Kind(lambda path, drawn: KINDS["16 bits"].store(path, np.arange(drawn.size).reshape(drawn.shape) % 300)),
        "different values, .* at most 253 classes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_spoil_a_training_stops_it_before_the_first_step(
    name: str, tmp_path: Path, fed: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    kind, message = REFUSED[name]
    write_data_set(tmp_path / "mine", kind, {"train": 2, "val": 1})
    assert fit(tmp_path / "mine") == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("foveate: ERROR data")]
    assert len(errors) == 1
    assert re.search(message, errors[0]), errors[0]
    assert not fed


def test_a_share_of_the_images_becomes_val_where_nothing_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data_set(tmp_path / "mine", Kind(KINDS["values"].store, LISTED), {"": 10})
    assert fit(tmp_path / "mine", "--data.val_share", "0.4") == 0
    assert (
        "no splits, no val: 0.4 of the images of train become val, by a hash of the name: train"
        in capsys.readouterr().err
    )


BOX = (8, 6, 30, 22)  # left, top, right, bottom of the polygon on every image


def write_photos(root: Path, count: int) -> list[Path]:
    """Images in train/ and val/ of images/."""
    paths = [root / "images" / ("val" if n == 0 else "train") / f"{n}.jpg" for n in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE, 3), 40 * number, np.uint8)).save(path)
    return paths


def corners() -> list[list[float]]:
    left, top, right, bottom = BOX
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def write_coco(root: Path) -> None:
    for split in ("train", "val"):
        images = [
            {"id": int(path.stem), "file_name": f"{split}/{path.name}", "height": SIZE[0], "width": SIZE[1]}
            for path in sorted((root / "images" / split).iterdir())
        ]
        flat = [value for corner in corners() for value in corner]
        drawn = [
            {"id": n, "image_id": one["id"], "category_id": 3, "iscrowd": 0, "segmentation": [flat], "area": 1}
            for n, one in enumerate(images, start=1)
        ]
        (root / "annotations").mkdir(exist_ok=True)
        content = {"images": images, "annotations": drawn, "categories": [{"id": 3, "name": "car"}]}
        (root / f"annotations/instances_{split}.json").write_text(json.dumps(content))


def write_labelme(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        shape = {"label": "car", "points": corners(), "shape_type": "polygon", "group_id": None, "flags": {}}
        content = {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": path.name, "imageData": None}
        path.with_suffix(".json").write_text(json.dumps({**content, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}))


def write_yolo(root: Path) -> None:
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: car}\n")
    for path in root.rglob("*.jpg"):
        text = root / "labels" / path.parent.name / f"{path.stem}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        values = [f"{x / SIZE[1]:.6f} {y / SIZE[0]:.6f}" for x, y in corners()]
        text.write_text(f"0 {' '.join(values)}\n")


@pytest.mark.parametrize("write", [write_coco, write_labelme, write_yolo])
def test_annotations_of_a_tool_are_drawn_once_and_trained(
    write: Callable[[Path], None], tmp_path: Path, fed: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "mine"
    write_photos(root, 5)
    write(root)
    assert fit(root) == 0
    assert "masks are drawn in" in capsys.readouterr().err
    left, top, right, bottom = BOX
    for mask in fed.values():
        assert (mask[top + 1 : bottom - 1, left + 1 : right - 1] == 1).all()
        assert (mask == 1).sum() <= (right - left + 1) * (bottom - top + 1)
        assert (mask[mask != 1] == 0).all()
    assert len(fed) == 4
    masks = {path: path.stat().st_mtime_ns for path in (root / ".foveate").rglob("masks/**/*.png")}
    assert main(["validate", "--ckpt_path", "best"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (root / ".foveate").rglob("masks/**/*.png")} == masks


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_what_is_imported_from_each_tool_trains(name: str, tmp_path: Path, fed: dict[str, np.ndarray]) -> None:
    out = tmp_path / "mine"
    assert main(["data", "import", str(EXPORTS[name](tmp_path / name)), str(out)]) == 0
    ((image,), (mask,)) = (list(out.glob(f"{kind}/**/*.*")) for kind in ("images", "masks"))
    for split, factor in (("train", 1), ("val", 2)):  # the export has one image, and both splits need one
        for source, path in ((image, out / "images" / split / "x.png"), (mask, out / "masks" / split / "x.png")):
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.array(Image.open(source)) // (factor if source is image else 1)).save(path)
    image.unlink()
    mask.unlink()
    assert fit(out, "--data.batch_size=1") == 0
    ((_, trained),) = fed.items()
    names = np.array([one["name"] for one in read_recipe(out / "classes.yaml")["classes"]])
    assert np.array_equal(names[trained[:24, :32]], np.array(["background", "road", "car"])[SCENE])


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_trains(name: str, tmp_path: Path, fed: dict[str, np.ndarray]) -> None:
    image, mask = (tmp_path / "mine" / template for template in LAYOUTS[name])
    for split, count in {"train": 4, "val": 1}.items():
        for number in range(count):
            words = {"s": split, "n": f"frame {number}"}
            pixels = np.full((*SIZE, 3), 40 * number, np.uint8)
            for template, content in ((image, pixels), (mask, drawing(number))):
                path = Path(str(template).format(**words))
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, content) if path.suffix == ".npy" else Image.fromarray(content).save(path)
    assert fit(tmp_path / "mine", "--data.classes", "[ground, car, tree]") == 0
    assert sorted(map(hashed, fed.values())) == sorted(hashed(drawing(number)) for number in range(4))


def hashed(mask: np.ndarray) -> bytes:
    """The content of a mask."""
    return mask.astype(np.uint8).tobytes()
