"""One planted fault each: images in two splits, or twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.doctor.finding import Finding, Severity
from foveate.datasets.doctor.similar import near_pairs
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.image_folder import ImageFolderDataModule
from foveate.tests.datasets.doctor.conftest import Diagnose, drawn, photograph


def copy(root: Path, source: str, target: str) -> None:
    for kind in ("images", "masks"):
        shutil.copy(root / kind / source, root / kind / target)


def test_the_same_file_in_two_splits(root: Path, found: Diagnose) -> None:
    copy(root, "train/train2.png", "val/copy.png")
    finding = found()["splits.same"]
    assert finding.severity == Severity.ERROR
    pair = [str(root / "images/val/copy.png"), str(root / "images/train/train2.png")]
    assert finding.numbers == {"pairs": [pair]}


def test_the_same_file_twice_in_a_split(root: Path, found: Diagnose) -> None:
    copy(root, "train/train2.png", "train/copy.png")
    findings = found()
    assert findings["splits.twice"].count == 1
    assert "splits.same" not in findings


@pytest.mark.parametrize(("split", "check"), [("val", "splits.near"), ("train", "splits.alike")])
def test_nearly_the_same_image(root: Path, found: Diagnose, split: str, check: str) -> None:
    copy(root, "train/train2.png", f"{split}/near.png")
    path = root / f"images/{split}/near.png"
    brighter = (np.array(Image.open(path)).astype(int) + 12).clip(0, 255).astype(np.uint8)
    Image.fromarray(brighter).save(path.with_suffix(".jpg"), quality=80)
    path.unlink()
    finding = found()[check]
    assert finding.count == 1
    assert "near.jpg" in finding.message
    assert "train2.png" in finding.message


def test_groups_that_folders_divide(root: Path) -> None:
    for split, name in (("train", "train0"), ("val", "val0")):
        for kind in ("images", "masks"):
            (root / kind / split / f"{name}.png").rename(root / kind / split / f"street_{name}.png")
    data = FolderDataModule(str(root), crop=(64, 64), group="street|[a-z]+[0-9]")
    findings = {finding.id: finding for finding in diagnose(data).findings}
    assert "'street' in train and val" in findings["splits.groups"].message
    assert findings["splits.groups"].count == 1


def test_near_images_are_found_among_many_and_flat_ones_are_left_out() -> None:
    rng = np.random.default_rng(0)
    thumbs = rng.integers(0, 256, (3000, 16, 16), dtype=np.uint8)
    thumbs[2000] = (thumbs[17].astype(int) + rng.integers(-1, 2, (16, 16))).clip(0, 255)
    thumbs[2500:2600] = 128
    assert near_pairs(thumbs).tolist() == [[17, 2000]]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for split, count in (("train", 4), ("val", 2)):
        for name in ("ant", "bee"):
            for number in range(count):
                path = tmp_path / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                seed = [len(split), len(name) + (name == "bee"), number]
                Image.fromarray(photograph(drawn(number), int(np.random.default_rng(seed).integers(1 << 30)))).save(
                    path
                )
    return tmp_path


def found_in(root: Path) -> dict[str, Finding]:
    return {finding.id: finding for finding in diagnose(ImageFolderDataModule(str(root))).findings}


def test_class_folders_without_a_fault(classes: Path) -> None:
    assert found_in(classes) == {}


def test_class_folders_with_copies_damage_and_contradictions(classes: Path) -> None:
    shutil.copy(classes / "train/ant/0.png", classes / "val/ant/copy.png")
    shutil.copy(classes / "train/ant/1.png", classes / "train/bee/copy.png")
    path = classes / "val/bee/1.png"
    path.write_bytes(path.read_bytes()[:-60])
    findings = found_in(classes)
    assert {"splits.same", "splits.twice", "splits.classes", "files.damaged"} == findings.keys()
    assert findings["splits.classes"].paths == [str(classes / "train/bee/copy.png")]
    assert "1.png: cannot be read as an image" in findings["files.damaged"].message
