"""One planted fault each: what masks hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.doctor.finding import Severity
from foveate.datasets.labels import CITYSCAPES, IGNORE
from foveate.tests.datasets.doctor.conftest import Diagnose, drawn, redraw

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
Labels = np.ndarray


def test_ids_out_of_range_are_told_with_file_value_and_count(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: np.where(mask == 2, 77, mask).astype(np.uint8), "masks/val/val[01].png")
    finding = found()["labels.range"]
    pixels = sum(int((drawn(100 + number) == 2).sum()) for number in (0, 1))
    assert finding.numbers == {"values": {"77": pixels}}
    assert "val0.png: label id out of range: 77 (" in finding.message
    assert f"In all 2 masks: 77 (2 masks, {pixels} px)" in finding.message
    assert "--data.ignore [77]" in finding.message


def test_colours_out_of_the_list_are_told(root: Path, found: Diagnose) -> None:
    text = "masks: colours\nclasses:\n- {name: a, colour: [0, 0, 0]}\n- {name: b, colour: [9, 9, 9]}\n"
    (root / "classes.yaml").write_text(text)
    redraw(root, lambda mask: np.repeat((9 * (mask == 1))[..., None], 3, axis=2).astype(np.uint8))
    assert "labels.range" not in found()
    redraw(root, lambda mask: mask + np.array([0, 1, 0], np.uint8), "masks/val/val0.png")
    finding = found()["labels.range"]
    assert "[0, 1, 0]" in finding.message
    assert finding.count == 1


def test_rgb_masks_are_not_taken_for_indices(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: np.dstack([mask, 0 * mask, 0 * mask]), "masks/train/*.png")
    finding = found()["labels.colour"]
    assert (finding.count, finding.severity) == (6, ERROR)
    assert "a mask in colour" in finding.message


def test_palettes_that_differ_are_not_taken_for_indices(root: Path, found: Diagnose) -> None:
    colours = [(0, 0, 0), (128, 64, 128), (0, 128, 0)]
    for number, path in enumerate(sorted(root.glob("masks/*/*.png"))):
        shift = 1 if number == 2 else 0
        mask = np.array(Image.open(path))
        image = Image.fromarray(np.where(mask == IGNORE, mask, (mask + shift) % 3).astype(np.uint8), "L")
        image.putpalette([value for place in range(3) for value in colours[(place - shift) % 3]] + [255] * 759)
        image.save(path)
    finding = found()["labels.palette"]
    assert list(finding.paths) == [str(root / "masks/train/train2.png")]
    assert "--data.masks colours" in finding.message


def test_one_palette_for_all_is_no_fault(root: Path, found: Diagnose) -> None:
    for path in root.glob("masks/*/*.png"):
        image = Image.fromarray(np.array(Image.open(path)), "L")
        image.putpalette(list(range(256)) * 3)
        image.save(path)
    assert found() == {}


def test_labels_that_begin_at_1(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: np.where(mask == IGNORE, mask, mask + 1).astype(np.uint8))
    finding = found()["labels.shifted"]
    assert finding.severity == ERROR
    assert "masks hold 1 to 3 and classes are 0 to 2" in finding.message


def test_a_zero_that_is_likely_no_class(root: Path, found: Diagnose) -> None:
    (root / "classes.yaml").write_text("classes: [car, tree]\n")
    finding = found()["labels.shifted"]
    assert finding.severity == WARNING
    assert "--data.reduce_zero_label true" in finding.message


def test_train_ids_read_as_label_ids_and_the_other_way_round(root: Path, found: Diagnose) -> None:
    classes = [
        f"{{name: {name}, value: {value}}}" for name, value in zip(CITYSCAPES.names, CITYSCAPES.ids, strict=True)
    ]
    void = list(CITYSCAPES.void_ids)
    as_label_ids = f"classes: [{', '.join(classes)}]\nignore: {void}\n"
    as_train_ids = f"classes: [{', '.join(CITYSCAPES.names)}]\n"
    stripes = (np.arange(96 * 128).reshape(96, 128) // 700).astype(np.uint8)  # 0 to 17
    redraw(root, lambda mask: np.where(mask == IGNORE, mask, stripes))
    (root / "classes.yaml").write_text(as_train_ids)
    assert "labels.table" not in found()
    (root / "classes.yaml").write_text(as_label_ids)
    assert "the train ids of set (0 to 18) fit better" in found()["labels.table"].message
    table = np.array([*CITYSCAPES.ids, *[0] * 237], np.uint8)
    redraw(root, lambda mask: table[mask])
    assert "labels.table" not in found()
    (root / "classes.yaml").write_text(as_train_ids)
    assert "the label ids of cityscapes fit better" in found()["labels.table"].message


@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_a_mask_stored_as_jpeg_whatever_its_name(root: Path, found: Diagnose, name: str) -> None:
    path = root / "masks/train/train4.png"
    Image.open(path).save(root / "y.jpg")
    path.unlink()
    (root / "y.jpg").rename(path.with_suffix(name[-4:]))
    finding = found()["labels.lossy"]
    assert (finding.count, finding.severity) == (1, ERROR)
    assert "export them again as PNG" in finding.message


def test_masks_that_cannot_tell_the_classes_since_they_are_lossy(root: Path, found: Diagnose) -> None:
    (root / "classes.yaml").unlink()
    Image.open(root / "masks/train/train4.png").save(root / "masks/train/train4.jpg")
    (root / "masks/train/train4.png").unlink()
    findings = found()
    assert {"labels.classes", "labels.lossy"} <= findings.keys()
    assert findings["labels.lossy"].count == 1


def test_masks_resized_with_smoothing(root: Path, found: Diagnose) -> None:
    (root / "classes.yaml").write_text(f"classes: [{', '.join(f'c{number}' for number in range(20))}]\n")
    wide = lambda mask: np.where(mask == IGNORE, 0, 9 * mask).astype(np.uint8)  # noqa: E731
    redraw(root, wide)
    assert "labels.resized" not in found()
    redraw(
        root,
        lambda mask: np.array(Image.fromarray(mask).resize((128, 640)).resize((640, 640), Image.Resampling.BILINEAR)),
    )
    for path in root.glob("images/*/*.png"):
        Image.open(path).resize((640, 640)).save(path)
    assert found()["labels.resized"].severity == WARNING


def test_much_void_and_masks_of_nothing_else(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: np.full_like(mask, IGNORE), "masks/train/train[1-5].png")
    findings = found()
    assert "84 %" in findings["labels.void"].message
    assert findings["labels.empty"].severity == WARNING
    assert findings["labels.empty"].count == 5
    redraw(root, lambda mask: np.full_like(mask, IGNORE), "masks/train/*.png")
    assert found()["labels.empty"].severity == ERROR


def test_masks_of_a_single_class(root: Path, found: Diagnose) -> None:
    redraw(root, np.zeros_like, "masks/train/train0.png")
    finding = found()["labels.single"]
    assert (finding.severity, finding.count) == (INFO, 1)
    redraw(root, np.zeros_like, "masks/train/*.png")
    finding = found()["labels.single"]
    assert finding.severity == ERROR
    assert "one class, 'ground'" in finding.message


def test_classes_never_present_or_in_one_split_only(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: np.where(mask == 2, 0, mask).astype(np.uint8), "masks/train/*.png")
    finding = found()["classes.one_split"]
    assert "in val but not in train: tree; they are scored and never learnt" in finding.message
    assert finding.severity == WARNING
    redraw(root, lambda mask: np.where(mask == 2, 0, mask).astype(np.uint8))
    finding = found()["classes.absent"]
    assert "never present: tree" in finding.message


def test_objects_too_small_for_the_stride(root: Path, found: Diagnose) -> None:
    def dots(mask: Labels) -> Labels:
        dotted = np.where(mask == 2, 0, mask).astype(np.uint8)
        for row in range(4, 80, 12):
            dotted[row : row + 4, 100:104] = 2
        return dotted

    redraw(root, dots)
    finding = found()["classes.small"]
    assert finding.numbers == {"sides": {"tree": 4.0}}
    assert finding.severity == WARNING
