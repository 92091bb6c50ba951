"""Files of any depth and number of bands are read as they were written."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DamagedError, DataConfigError, DataError
from foveate.datasets.files import tiff
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.kinds import image_kind
from foveate.datasets.files.reading import read_image
from foveate.datasets.files.stored_image import Stored, decode_stored

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
DTYPES = ("uint8", "uint16", "int16", "int32", "uint32", "float32", "float64")


def stored(path: Path) -> Stored:
    return decode_stored(path.read_bytes(), str(path), max_pixels=10**6)


def draw(dtype: str, bands: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return (RNG.random((*size, bands)) * (1 if dtype.startswith("f") else 120)).astype(dtype)


def write(path: Path, values: np.ndarray, *, separate: bool = False, photometric: str = "", **options: Any) -> Path:
    bands = values.shape[2]
    photometric = photometric or ("rgb" if bands >= 3 else "minisblack")
    options.setdefault("extrasamples", ["unspecified"] * (bands - (3 if photometric == "rgb" else 1)))
    planar = None if bands == 1 else "separate" if separate else "contig"
    shaped = values[..., 0] if bands == 1 else np.moveaxis(values, 2, 0).copy() if separate else values
    tifffile.imwrite(path, shaped, photometric=photometric, planarconfig=planar, **options)
    return path


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tiff_is_read_as_written_in_every_arrangement(tmp_path: Path, dtype: str, bands: int) -> None:
    values = draw(dtype, bands)
    for number, (separate, deflate, tile, big, grey) in enumerate(np.ndindex(2, 2, 2, 2, 2)):
        options = {"compression": "deflate" if deflate else None, "tile": (16, 32) if tile else None, "bigtiff": big}
        kind = "minisblack" if grey else ""
        path = write(tmp_path / f"{number}.tif", values, separate=bool(separate), photometric=kind, **options)
        found = stored(path)
        assert (found.values.dtype, found.alpha) == (values.dtype, ())
        assert np.array_equal(found.values, values), options
        assert (image_kind(path).channels, image_kind(path).dtype) == (bands, dtype)


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_alpha_of_a_tiff_is_told_from_a_fourth_band(tmp_path: Path, dtype: str, extra: str) -> None:
    path = write(tmp_path / "a.tif", draw(dtype, 4), extrasamples=[extra])
    assert image_kind(path).alpha == stored(path).alpha == (3,)
    assert image_kind(path).bands_read(None) == 3


def test_white_may_be_0(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.array([[[0], [65535], [5]]], np.uint16), photometric="miniswhite")
    assert stored(path).values.ravel().tolist() == [65535, 0, 65530]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_turned_tiff_is_given_as_stored(tmp_path: Path, dtype: str, orientation: int) -> None:
    values = draw(dtype, 3)
    path = write(tmp_path / "a.tif", values, extratags=[(274, 3, 1, orientation, True)])
    assert stored(path).orientation == image_kind(path).orientation == orientation
    assert np.array_equal(stored(path).values, values)


def test_the_first_page_is_read_and_the_others_are_counted(tmp_path: Path) -> None:
    pages = [draw("uint16", 1)[..., 0] for _ in range(3)]
    tifffile.imwrite(tmp_path / "a.tif", np.stack(pages), photometric="minisblack")
    assert np.array_equal(stored(tmp_path / "a.tif").values[..., 0], pages[0])
    assert image_kind(tmp_path / "a.tif").pages == 3


def test_samples_of_12_bits_are_never_taken_for_16(tmp_path: Path) -> None:
    values = RNG.integers(0, 4096, (16, 32))
    bits = "".join(f"{value:012b}" for value in values.ravel())
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    tags = {256: 32, 257: 16, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = b"II*\0" + struct.pack("<I", 8 + len(packed))
    (tmp_path / "a.tif").write_bytes(header + packed + struct.pack("<H", len(tags)) + entries + bytes(4))
    assert image_kind(tmp_path / "a.tif").dtype == "uint16"
    if importlib.util.find_spec("imagecodecs"):
        assert np.array_equal(stored(tmp_path / "a.tif").values[..., 0], values)
        return
    with pytest.raises(DataConfigError, match=r"imagecodecs decodes it, and is missing: pip install 'foveate\[tiff\]'"):
        stored(tmp_path / "a.tif")  # OpenCV gives other values


def test_smaller_copies_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(draw("uint16", 1)[..., 0], photometric="minisblack")
        file.write(draw("uint16", 1, (24, 32))[..., 0], photometric="minisblack", subfiletype=1)
    assert image_kind(tmp_path / "a.tif").pages == 1


@pytest.mark.parametrize(("text", "nodata"), [("7", 7.0), ("-9999", None), ("nan", None)])
def test_gdals_value_for_no_data_is_known_if_the_type_can_hold_it(
    tmp_path: Path, text: str, nodata: float | None
) -> None:
    path = write(tmp_path / "a.tif", draw("uint16", 4), extratags=[(42113, 2, 0, text, True)])
    assert stored(path).nodata == image_kind(path).nodata == nodata


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("bands", [4, 6])
def test_a_tiff_cut_short_is_damaged(tmp_path: Path, bands: int, share: float) -> None:
    path = write(tmp_path / "a.tif", draw("uint16", bands), rowsperstrip=8)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DamagedError, match=r"a\.tif"):
        stored(path)


@pytest.mark.parametrize("bands", [4, 6])
def test_a_tiff_with_a_damaged_strip_is_damaged(tmp_path: Path, bands: int) -> None:
    path = write(tmp_path / "a.tif", draw("uint16", bands), compression="deflate", rowsperstrip=8)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedError, match=r"a\.tif"):
        stored(path)


def test_a_missing_tifffile_is_named_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.tif", draw("uint16", 6))
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(DataConfigError, match=r"tifffile is missing: pip install 'foveate\[tiff\]'"):
        stored(path)


def test_opencv_is_quiet_about_tags_it_does_not_know(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.tif", draw("uint16", 4), extratags=[(42113, 2, 0, "7", True)])
    logging = getattr(cv2.utils, "logging", cv2)
    before = logging.getLogLevel()
    stored(path)
    assert (capfd.readouterr().err, logging.getLogLevel()) == ("", before)


def deep_png(colours: int, values: np.ndarray) -> bytes:
    """A PNG of 16 bits."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("colours", "bands"), [(0, 1), (4, 2), (2, 3), (6, 4)], ids=["grey", "grey, alpha", "rgb", "rgba"]
)
def test_no_bit_of_a_deep_png_is_cut(tmp_path: Path, colours: int, bands: int) -> None:
    values = RNG.integers(0, 65536, (6, 8, bands)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(colours, values))
    found, kind = stored(tmp_path / "a.png"), image_kind(tmp_path / "a.png")
    assert np.array_equal(found.values, values)
    assert (kind.dtype, kind.channels) == ("uint16", bands)
    assert found.alpha == kind.alpha == ((bands - 1,) if bands in (2, 4) else ())


@pytest.mark.parametrize("bands", [1, 3])
def test_no_bit_of_a_deep_pnm_is_cut(tmp_path: Path, bands: int) -> None:
    values = RNG.integers(0, 4096, (6, 8, bands)).astype(np.uint16)
    head = b"P%d\n# a comment\n8 6\n4095\n" % (5 if bands == 1 else 6)
    (tmp_path / "a.ppm").write_bytes(head + values.astype(">u2").tobytes())
    assert np.array_equal(stored(tmp_path / "a.ppm").values, values)
    assert image_kind(tmp_path / "a.ppm").dtype == "uint16"


def test_a_damaged_deep_png_is_an_error(tmp_path: Path) -> None:
    data = deep_png(2, RNG.integers(0, 65536, (60, 80, 3)).astype(np.uint16))
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedError, match=r"a\.png"):
        stored(tmp_path / "a.png")


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 5)], ids=str)
def test_arrays_are_images_too(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = RNG.random(shape).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    assert np.array_equal(stored(tmp_path / "a.npy").values, values.reshape(6, 8, -1))
    assert (image_kind(tmp_path / "a.npy").channels, image_kind(tmp_path / "a.npy").dtype) == (
        (*shape, 1)[2],
        "float32",
    )


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((2, 3, 600)), np.zeros((2, 3), "U1")], ids=["1-D", "C last", "text"]
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=r"expected numbers \(H, W\) or \(H, W, C\)"):
        stored(tmp_path / "a.npy")


def test_eight_bits_are_read_as_ever(shared: Path) -> None:
    for path in sorted((shared / "hostile").iterdir()):
        try:
            kind, wanted = image_kind(path), read_image(path)
        except DataError:
            continue
        if not kind.is_deep:
            assert np.array_equal(ImageReader().read(path), wanted), path
            assert (kind.height, kind.width) in (wanted.shape[:2], wanted.shape[1::-1])


def test_a_header_that_says_nonsense_is_no_header() -> None:
    assert tiff.read_header(io.BytesIO(b"II*\0" + bytes(20))) is None


def test_a_kind_of_a_file_that_is_no_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"text")
    with pytest.raises(DamagedError, match=r"a\.png: cannot be read as an image"):
        image_kind(tmp_path / "a.png")


def test_an_animation_is_counted(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    assert image_kind(tmp_path / "a.webp").pages == 2


def test_a_kind_is_told_by_the_header_alone(tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (200, 300, 3), dtype=np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    kind = image_kind(tmp_path / "a.png")
    assert (kind.format, kind.height, kind.width, kind.channels) == ("PNG", 200, 300, 3)
