"""Windows of a TIFF file are those of the whole image."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files import windowed
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.windowed import open_windowed

tifffile = pytest.importorskip("tifffile", reason="the extra tiff is not installed")
HEIGHT, WIDTH = 150, 203
WINDOWS = [(0, 150, 0, 203), (0, 1, 0, 1), (149, 150, 202, 203), (31, 97, 60, 130), (64, 128, 64, 128)]


@pytest.fixture(autouse=True)
def every_image_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed, "FROM", 100)


def write(path: Path, samples: int, dtype: str, **options: Any) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, samples)).astype(dtype)
    if options.get("planarconfig") == "separate":
        values = np.ascontiguousarray(values.transpose(2, 0, 1))
    if samples == 1:
        values = values.reshape(HEIGHT, WIDTH)
    options.setdefault("photometric", "rgb" if samples == 3 else "minisblack")
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize(
    ("samples", "dtype", "options"),
    [
        (3, "uint8", {"tile": (64, 64)}),
        (3, "uint8", {"tile": (64, 64), "compression": "zlib", "predictor": True}),
        (3, "uint8", {"rowsperstrip": 7, "compression": "lzw"}),
        (3, "uint8", {}),
        (3, "uint8", {"tile": (32, 48), "planarconfig": "separate"}),
        (1, "uint8", {"tile": (64, 64), "photometric": "miniswhite"}),
        (4, "uint16", {"tile": (64, 64), "planarconfig": "contig", "bigtiff": True}),
        (5, "float32", {"rowsperstrip": 9, "planarconfig": "separate"}),
        (3, "uint8", {"tile": (64, 64), "byteorder": ">"}),
    ],
    ids=lambda value: str(value),
)
def test_windows_are_those_of_the_whole(samples: int, dtype: str, options: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", samples, dtype, **options)
    reader = ImageReader(range=None if dtype == "uint8" else (0, 255))
    whole = reader.read(path).transpose(2, 0, 1)
    image = open_windowed(path, reader)
    assert image is not None
    assert image.shape == (1, *whole.shape)
    for top, bottom, left, right in WINDOWS:
        window = image[..., slice(top, bottom), slice(left, right)].numpy()
        np.testing.assert_array_equal(window[0], whole[:, top:bottom, left:right])


def test_it_goes_to_another_process(tmp_path: Path) -> None:
    image = open_windowed(write(tmp_path / "a.tif", 3, "uint8", tile=(64, 64)), ImageReader())
    assert image is not None
    window = image[..., slice(3, 90), slice(5, 70)]
    assert pickle.loads(pickle.dumps(image))[..., slice(3, 90), slice(5, 70)].equal(window)


def test_few_tiles_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed, "KEPT_BYTES", 3 * 64 * 64 * 2)
    image = open_windowed(write(tmp_path / "a.tif", 3, "uint8", tile=(64, 64)), ImageReader())
    assert image is not None
    for top in range(0, HEIGHT, 40):
        _ = image[..., slice(top, top + 40), slice(0, WIDTH)]
        assert len(image._chunks) <= 2


def test_small_images_palettes_and_turned_ones_are_read_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = write(tmp_path / "turned.tif", 3, "uint8", tile=(64, 64), extratags=[(274, "H", 1, 6, True)])
    assert open_windowed(turned, ImageReader()) is None
    assert open_windowed(turned, ImageReader(exif="ignore")) is not None
    (tmp_path / "a.png").write_bytes(b"\x89PNG....")
    assert open_windowed(tmp_path / "a.png", ImageReader()) is None
    plain = write(tmp_path / "plain.tif", 3, "uint8")
    monkeypatch.setattr(windowed, "FROM", HEIGHT * WIDTH)
    assert open_windowed(plain, ImageReader()) is None


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", 3, "uint8", tile=(64, 64))
    image = open_windowed(path, ImageReader())
    assert image is not None
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DamagedError, match=r"a\.tif: tile or strip"):
        _ = image[..., slice(0, HEIGHT), slice(0, WIDTH)]


def test_values_of_more_than_8_bits_need_a_range(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", 3, "uint16", tile=(64, 64))
    with pytest.raises(DataError, match=r"--data\.range"):
        open_windowed(path, ImageReader())
