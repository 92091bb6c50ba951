"""What reading changes is said once for a data set, and what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.survey import check_alike, notes_of, spread, survey_images
from foveate.datasets.files.turning import ORIENTATION

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)


def files(folder: Path, *images: Image.Image | np.ndarray, **options: object) -> list[Path]:
    paths = []
    for number, image in enumerate(images):
        path = folder / f"{number}{'.npy' if isinstance(image, np.ndarray) else '.tif'}"
        np.save(path, image) if isinstance(image, np.ndarray) else image.save(path, **options)
        paths.append(path)
    return paths


def notes(folder: Path, *images: Image.Image, reader: ImageReader | None = None, **options: object) -> list[str]:
    return notes_of(survey_images(files(folder, *images, **options)), reader or ImageReader())


@pytest.mark.parametrize("count", [0, 1, 5, 199, 200, 201, 10_000])
def test_some_images_are_taken_evenly(count: int) -> None:
    places = spread(count, 200)
    assert len(places) == min(count, 200)
    assert places == sorted(set(places))
    assert not places or (places[0], places[-1]) == (0, count - 1)


def test_plain_images_need_no_word(tmp_path: Path) -> None:
    assert notes(tmp_path, Image.new("RGB", (4, 3)), Image.new("L", (4, 3)), Image.new("P", (4, 3))) == []


def test_dropped_alpha_is_said_with_the_option_that_keeps_it(tmp_path: Path) -> None:
    images = Image.new("RGB", (4, 3)), Image.new("RGBA", (4, 3))
    (line,) = notes(tmp_path, *images)
    assert line.startswith("1 of 2 images, such as")
    assert "1.tif, have alpha, which is dropped; --data.bands [1, 2, 3, 4] keeps it as a band" in line
    assert notes(tmp_path, *images, reader=ImageReader(bands=(1, 2, 3))) == []


def test_cmyk_pages_and_orientations_are_said(tmp_path: Path) -> None:
    (line,) = notes(tmp_path, Image.new("CMYK", (4, 3)))
    assert "converted from CMYK to RGB" in line
    (line,) = notes(tmp_path, Image.new("RGB", (4, 3)), save_all=True, append_images=[Image.new("RGB", (4, 3))])
    assert "several pages or frames: the first is read" in line
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    (line,) = notes(tmp_path, Image.new("RGB", (4, 3)), exif=exif, reader=ImageReader(exif="ignore"))
    assert "have an EXIF orientation, and are not turned (--data.exif auto, apply or ignore)" in line


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (GREY[..., None].repeat(3, 2), GREY[..., None].repeat(4, 2), r"3 channels in .*0\.npy, 4 channels in .*2\.npy"),
        (GREY, GREY.astype(np.uint16), r"8-bit in .*0\.npy, 16-bit in .*2\.npy; give --data.range"),
        (GREY.astype(np.int32), GREY.astype(np.float32), r"32-bit in .*0\.npy, 32-bit float in .*2\.npy"),
    ],
    ids=["channels", "depth", "floats"],
)
def test_images_that_differ_are_refused_with_a_file_of_each(
    tmp_path: Path, one: np.ndarray, other: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        check_alike(survey_images(files(tmp_path, one, one, other)), ImageReader())


def test_bands_and_a_range_make_them_alike(tmp_path: Path) -> None:
    paths = files(tmp_path, GREY[..., None].repeat(3, 2), GREY[..., None].repeat(4, 2).astype(np.uint16))
    check_alike(survey_images(paths), ImageReader(bands=(1, 2, 3), range=(0, 255)))


def test_damaged_images_are_left_to_those_who_read_them(tmp_path: Path) -> None:
    paths = files(tmp_path, Image.new("RGB", (4, 3)), Image.new("RGB", (4, 3)))
    paths[0].write_bytes(b"nothing")
    assert survey_images(paths).paths == (paths[1],)
