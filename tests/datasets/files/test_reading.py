"""Reading is strict: a file is read in full and the right way up, or it is an error that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.files.reading import read_image
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.masks.values import read_label

TABLE = CITYSCAPES.to_train_ids()
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
STRIPES = np.repeat(np.array([[0, 7, 11, 26, 33]], dtype=np.uint8), 4, axis=0)
TRAINED = np.repeat(np.array([[255, 0, 2, 13, 18]], dtype=np.uint8), 4, axis=0)
DAMAGED = {
    "broken.png",
    "broken_data_stream.png",
    "crash-338516dbd2f0e83caddb8ce256c22db3bd6dc40f.tif",
    "decompression_bomb.gif",
    "truncated_image.png",
    "truncated_jpeg.jpg",
}

Reader = Callable[[Path], np.ndarray]


def read_as_label(path: Path) -> np.ndarray:
    return read_label(path, TABLE)


READERS = [read_image, read_as_label]


def refusal(read: Reader, path: Path) -> str:
    """Why a file was refused; nothing if it was read."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("read", READERS)
def test_damaged_files_are_errors_that_name_them(shared: Path, read: Reader) -> None:
    for name in DAMAGED:
        assert name in refusal(read, shared / "hostile" / name)


def test_odd_files_are_read_as_rgb(shared: Path) -> None:
    for path in sorted((shared / "hostile").iterdir()):
        if path.name not in DAMAGED:
            image = read_image(path)
            assert (image.ndim, image.shape[2]) == (3, 3), path
            assert image.dtype == np.uint8, path


def test_odd_files_are_label_maps_or_say_why_not(shared: Path) -> None:
    for path in sorted((shared / "hostile").iterdir()):
        why_not = refusal(read_as_label, path)
        assert path.name in why_not or read_as_label(path).ndim == 2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_images_are_turned_upright(shared: Path, orientation: int) -> None:
    upright = read_image(shared / "hostile/hopper.png").astype(int)
    turned = read_image(shared / f"hostile/hopper_orientation_{orientation}.jpg").astype(int)
    assert abs(turned - upright).mean() < 12  # of the JPEG; any other turn is 50 and more


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_turned_image_has_its_sides_swapped_at_any_depth(tmp_path: Path, depth: type) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey: np.ndarray = RGB[..., 0].astype(depth) * (1 if depth is np.uint8 else 257)
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png")[..., 0], np.rot90(RGB[..., 0], -1))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_any_kind_of_image_becomes_rgb(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    image.save(tmp_path / f"image.{ending}")
    assert np.array_equal(read_image(tmp_path / f"image.{ending}"), np.array(image.convert("RGB")))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 3), (255, 0, 0, 0)).save(tmp_path / "cyan.tif")
    assert read_image(tmp_path / "cyan.tif")[0, 0].tolist() == [0, 255, 255]


def test_alpha_is_dropped_and_does_not_darken(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 3), (200, 100, 50, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png")[0, 0].tolist() == [200, 100, 50]


def test_of_16_bits_the_upper_8_are_kept(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 256, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("name", ["ü ñ.png", "日本/é.png", "a\nb.png", "x" * 200 + ".png"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(RGB).save(path)
    assert np.array_equal(read_image(path), RGB)


@pytest.mark.parametrize("share", [0, 0.5, 0.98])
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
def test_a_file_cut_short_is_an_error(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"cut.{ending}"
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=f"cut.{ending}: cannot be read as an image"):
        read_image(path)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_named(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(DataError, match=r"nowhere.png: no such file"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="cannot be read as an image"):
        read(tmp_path)


def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:100])  # decoding would complain of this
    with pytest.raises(DataError, match="64 x 64 is more than the 0 million pixels allowed"):
        read_image(path, max_pixels=64 * 64 - 1)


def test_the_usual_limit_is_below_pillows(tmp_path: Path) -> None:
    Image.new("1", (8000, 8001)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match="8001 x 8000 is more than the 64 million pixels allowed"):
        read_image(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("depth", "ending"),
    [(np.uint8, "png"), (np.uint16, "png"), (np.uint8, "tif"), (np.uint16, "tif"), (np.int32, "tif")],
)
def test_label_maps_become_train_ids(tmp_path: Path, depth: type, ending: str) -> None:
    Image.fromarray(STRIPES.astype(depth)).save(tmp_path / f"label.{ending}")
    mask = read_label(tmp_path / f"label.{ending}", TABLE)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, TRAINED)


def test_a_palette_gives_its_indices_not_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(STRIPES).convert("P")
    image.putdata(STRIPES.ravel().tolist())
    image.putpalette(RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(tmp_path / "label.png")
    assert np.array_equal(read_label(tmp_path / "label.png", TABLE), TRAINED)


def test_the_palette_masks_of_others_are_read(shared: Path) -> None:
    table = np.arange(256, dtype=np.uint8)
    for path in sorted((shared / "hostile").glob("*_gt.png")):
        assert np.array_equal(read_label(path, table), np.asarray(Image.open(path)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_a_label_map_in_colour_is_refused(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (4, 3), (7, 8, 9)).convert(mode).save(tmp_path / "label.tif")
    with pytest.raises(DataError, match=r"label.tif: a mask in colour; .* write a classes.yaml"):
        read_label(tmp_path / "label.tif", TABLE)


@pytest.mark.parametrize(("value", "depth"), [(34, np.uint8), (200, np.uint8), (26002, np.uint16), (-1, np.int32)])
def test_an_id_that_is_not_defined_is_named_with_its_file(tmp_path: Path, value: int, depth: type) -> None:
    stored: np.ndarray = STRIPES.astype(depth)
    stored[1, :3] = value
    Image.fromarray(stored).save(tmp_path / "label.tif")
    with pytest.raises(DataError, match=rf"label.tif: label id out of range: {value} \(3 px\); classes here are 7, 8"):
        read_label(tmp_path / "label.tif", TABLE)
