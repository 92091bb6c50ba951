"""One planted fault each: files, partners, sizes, kinds of images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.doctor.finding import Severity
from foveate.tests.datasets.doctor.conftest import Diagnose

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def test_a_faultless_set_has_no_finding(found: Diagnose) -> None:
    assert found() == {}


def test_images_without_mask_and_masks_without_image_are_counted_apart(root: Path, found: Diagnose) -> None:
    (root / "masks/train/train0.png").unlink()
    for number in (1, 2):
        (root / f"images/val/val{number}.png").unlink()
    findings = found()
    assert [Path(path).name for path in findings["pairing.missing"].paths] == ["train0.png"]
    assert [Path(path).name for path in findings["pairing.extra"].paths] == ["val1.png", "val2.png"]
    assert findings["pairing.extra"].severity == ERROR
    assert "labels.classes" not in findings


def test_a_split_that_is_not_there_is_named(root: Path, found: Diagnose) -> None:
    (root / "images").rename(root / "nothing")
    assert "no image has a mask; expected images/ and masks/" in found()["pairing.split"].message


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_damaged_and_empty_files(root: Path, found: Diagnose, kind: str) -> None:
    path = root / kind / "train/train1.png"
    path.write_bytes(path.read_bytes()[:-60])
    (root / kind / "val/val0.png").write_bytes(b"")
    findings = found()
    assert list(findings["files.damaged"].paths) == [str(path)]
    assert list(findings["files.empty"].paths) == [str(root / kind / "val/val0.png")]
    assert findings["files.damaged"].severity == findings["files.empty"].severity == ERROR


def test_a_text_file_that_is_called_an_image(root: Path, found: Diagnose) -> None:
    (root / "images/train/train2.png").write_text("<html>404</html>")
    assert "train2.png: cannot be read as an image" in found()["files.damaged"].message


def test_disguised_files(root: Path, found: Diagnose) -> None:
    path = root / "images/train/train0.png"
    Image.open(path).save(root / "x.jpg", quality=95)
    (root / "x.jpg").rename(path)
    finding = found()["files.disguised"]
    assert ".png but in truth JPEG" in finding.message
    assert (finding.count, finding.severity) == (1, WARNING)


@pytest.mark.parametrize("name", [b"bad\xff", b"new\nline"])
def test_names_that_logs_cannot_show(root: Path, found: Diagnose, name: bytes) -> None:
    for kind in ("images", "masks"):
        folder = os.fsencode(root / kind / "train")
        try:
            os.rename(os.path.join(folder, b"train0.png"), os.path.join(folder, name + b".png"))
        except OSError:
            pytest.skip("this file system takes no such names")
    assert found()["files.names"].severity == WARNING


def test_an_image_of_another_size_than_its_mask(root: Path, found: Diagnose) -> None:
    Image.open(root / "images/val/val1.png").resize((64, 48)).save(root / "images/val/val1.png")
    finding = found()["sizes.differ"]
    assert "val1.png is 48 x 64" in finding.message
    assert "96 x 128 (height x width)" in finding.message
    assert finding.severity == ERROR


def test_images_smaller_than_the_crop(found: Diagnose) -> None:
    finding = found(crop=(128, 128))["sizes.small"]
    assert finding.numbers == {"height": 96, "width": 128}
    assert (finding.severity, finding.count) == (INFO, 6)


def test_sizes_that_do_not_fit_into_one_batch(root: Path, found: Diagnose) -> None:
    for kind in ("images", "masks"):
        path = root / kind / "val/val0.png"
        Image.open(path).crop((0, 0, 100, 90)).save(path)
    assert "sizes.batch" not in found()
    assert "--data.eval_batch_size 1" in found(eval_batch_size=2)["sizes.batch"].message


KINDS = {
    "images.depth": lambda pixels: Image.fromarray(pixels[..., 0].astype(np.uint16) << 8),
    "images.grey": lambda pixels: Image.fromarray(pixels[..., 0]),
    "images.alpha": lambda pixels: Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 9, np.uint8)])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_images_that_reading_changes(root: Path, found: Diagnose, kind: str) -> None:
    path = root / "images/train/train3.png"
    KINDS[kind](np.array(Image.open(path))).save(path)
    findings = found()
    assert list(findings[kind].paths) == [str(path)]
    assert "images.mixed" in findings


def deepen(root: Path, factor: int = 16) -> None:
    """Make every image one of 16 bits."""
    for path in root.glob("images/*/*.png"):
        pixels = np.array(Image.open(path))[..., 0].astype(np.uint16)
        Image.fromarray(pixels * factor).save(path)


def test_values_outside_the_range_that_is_given(root: Path, found: Diagnose) -> None:
    deepen(root)
    assert "images.clipped" not in found(range=[0, 16 * 255])
    finding = found(range=[0, 16 * 60])["images.clipped"]
    assert finding.severity == WARNING
    assert finding.count == 9
    assert "outside 0 to 960" in finding.message
    assert "--data.range" in finding.message


def test_values_outside_the_range_found_from_train_images(root: Path, found: Diagnose) -> None:
    deepen(root)
    path = root / "images/val/val1.png"
    Image.fromarray(np.array(Image.open(path)) * 4).save(path)
    assert list(found()["images.clipped"].paths) == [str(path)]


def test_cmyk_floats_and_pages(root: Path, found: Diagnose) -> None:
    pixels = [Image.open(root / f"images/train/train{number}.png").convert("RGB") for number in range(3)]
    for number, ending in ((0, "jpg"), (1, "tif"), (2, "gif")):
        (root / f"images/train/train{number}.png").unlink()
        path = root / f"images/train/train{number}.{ending}"
        if ending == "jpg":
            pixels[number].convert("CMYK").save(path)
        elif ending == "tif":
            Image.fromarray(np.asarray(pixels[number].convert("L")).astype(np.float32) / 255).save(path)
        else:
            pixels[number].save(path, save_all=True, append_images=[pixels[0]])
    findings = found()
    assert {"images.cmyk", "images.float", "images.pages"} <= findings.keys()
    assert findings["images.float"].severity == ERROR


def turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(path).convert("RGB")
    image.save(path.with_suffix(".jpg"), exif=exif, quality=95)
    path.unlink()


def test_an_exif_orientation_that_the_mask_may_not_share(root: Path, found: Diagnose) -> None:
    turn(root / "images/train/train1.png", 3)
    finding = found()["images.exif"]
    assert finding.severity == ERROR
    assert finding.count == 1


def test_an_exif_orientation_that_the_mask_shares(root: Path, found: Diagnose) -> None:
    turn(root / "images/train/train1.png", 6)
    mask = root / "masks/train/train1.png"
    Image.fromarray(np.rot90(np.array(Image.open(mask))).copy()).save(mask)
    findings = found()
    assert findings["images.exif"].severity == INFO
    assert "sizes.differ" not in findings
