"""Which bands, which range, which way up: nothing is cut, dropped or turned unless asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.turning import ORIENTATION, turned

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (6, 8, 4), dtype=np.uint8)
DEEP = RNG.integers(12, 3875, (6, 8, 5)).astype(np.uint16)


def saved(folder: Path, values: np.ndarray, name: str = "a.png", **options: Any) -> Path:
    if name.endswith(".npy"):
        np.save(folder / name, values)
    else:
        Image.fromarray(values).save(folder / name, **options)
    return folder / name


def test_grey_becomes_three_equal_channels_unless_a_band_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, RGB[..., 0])
    assert np.array_equal(ImageReader().read(path), np.repeat(RGB[..., :1], 3, axis=2))
    assert np.array_equal(ImageReader(bands=(1,)).read(path), RGB[..., :1])


def test_alpha_is_dropped_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, RGBA)
    assert np.array_equal(ImageReader().read(path), RGBA[..., :3])
    assert np.array_equal(ImageReader(bands=(1, 2, 3, 4)).read(path), RGBA)


def test_bands_are_taken_in_the_order_asked_for_counted_from_1(tmp_path: Path) -> None:
    path = saved(tmp_path, RGB)
    assert np.array_equal(ImageReader(bands=(3, 1)).read(path), RGB[..., [2, 0]])
    with pytest.raises(DataError, match=r"a\.png: has 3 bands, and --data.bands asks for number 4"):
        ImageReader(bands=(1, 4)).read(path)


def test_more_than_8_bits_are_refused_without_a_range(tmp_path: Path) -> None:
    path = saved(tmp_path, DEEP, "a.npy")
    with pytest.raises(
        DataConfigError, match=rf"uint16 values, {DEEP.min()} to {DEEP.max()}.*--data.range \[LOW, HIGH"
    ):
        ImageReader().read(path)
    wanted = np.rint((DEEP - 12.0).clip(0) * 255 / 1000).clip(0, 255)
    assert np.array_equal(ImageReader(range=(12, 1012)).read(path), wanted)


def test_a_range_maps_bytes_too(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array([[[0, 20, 40]]], np.uint8))
    assert ImageReader(range=(0, 40)).read(path).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("exif", ["auto", "apply", "ignore"])
def test_an_orientation_turns_an_image_unless_it_is_ignored(tmp_path: Path, exif: str) -> None:
    metadata = Image.Exif()
    metadata[ORIENTATION] = 6
    path = saved(tmp_path, RGB, exif=metadata)
    wanted = RGB if exif == "ignore" else turned(RGB, 6)
    assert np.array_equal(ImageReader(exif=exif).read(path), wanted)  # type: ignore[arg-type]


def test_the_limit_is_an_option_and_the_error_names_it(tmp_path: Path) -> None:
    metadata = Image.Exif()
    metadata[ORIENTATION] = 6  # with metadata Pillow decodes, without OpenCV
    for path in (saved(tmp_path, RGB), saved(tmp_path, RGB, "b.png", exif=metadata), saved(tmp_path, DEEP, "c.npy")):
        with pytest.raises(DataError, match=r"raise it by --data\.max_pixels N"):
            ImageReader(max_pixels=47).read(path)
        assert ImageReader(max_pixels=48, range=(0, 5000)).read(path).size


def test_an_image_of_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: has 3 channels, not 4 .* --data.bands, such as \[1, 2, 3, 4\]"):
        ImageReader(channels=4).read(saved(tmp_path, RGB))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": (0, 1)}, r"counted from 1, not \[0, 1\]"),
        ({"bands": ()}, r"counted from 1, not \[\]"),
        ({"range": (5, 5)}, "a lower and a higher value"),
        ({"max_pixels": 0}, "at least 1, not 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        ImageReader(**options)


def test_the_key_is_empty_by_default_and_differs_where_pixels_do() -> None:
    assert ImageReader(max_pixels=5, channels=3).key == b""
    readers = [
        ImageReader(bands=(1, 2)),
        ImageReader(bands=(2, 1)),
        ImageReader(range=(0, 9)),
        ImageReader(exif="ignore"),
        ImageReader(channels=4),
    ]
    assert len({reader.key for reader in readers} | {b""}) == 6
