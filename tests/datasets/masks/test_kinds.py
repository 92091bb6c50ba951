"""Every kind of mask that people have becomes the train ids that were drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import IGNORE, INVALID
from foveate.datasets.masks.binary import BinaryMasks, to_binary
from foveate.datasets.masks.class_files import ClassFileMasks
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.stored import read_numbers
from foveate.datasets.masks.values import ValueMasks

DRAWN = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
COLOURS = {(0, 0, 0): 0, (128, 64, 128): 1, (244, 35, 232): 2}
PALETTE = np.array(list(COLOURS), dtype=np.uint8)


def pair(path: Path, *parts: Path) -> Pair:
    return Pair(path.with_name("image.png"), path, parts)


def values(defined: int = 3) -> ValueMasks:
    table = np.full(256, INVALID, dtype=np.uint8)
    table[:defined] = np.arange(defined)
    return ValueMasks(table)


def write_palette(path: Path) -> None:
    image = Image.fromarray(DRAWN, mode=None).convert("P")
    image.putpalette(PALETTE.ravel().tolist())
    image.save(path)


NUMBERS: dict[str, Callable[[Path], None]] = {
    "grey.png": lambda path: Image.fromarray(DRAWN).save(path),
    "deep.png": lambda path: Image.fromarray(DRAWN.astype(np.uint16)).save(path),
    "wide.tif": lambda path: Image.fromarray(DRAWN.astype(np.int32)).save(path),
    "float.tif": lambda path: Image.fromarray(DRAWN.astype(np.float32)).save(path),
    "equal.png": lambda path: Image.fromarray(np.repeat(DRAWN[..., None], 3, axis=2)).save(path),
    "alpha.png": lambda path: Image.fromarray(DRAWN).convert("LA").save(path),
    "array.npy": lambda path: np.save(path, DRAWN.astype(np.int64)),
    "floats.npy": lambda path: np.save(path, DRAWN.astype(np.float64)),
    "plane.npy": lambda path: np.save(path, DRAWN[..., None]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_whole_numbers_are_read_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    NUMBERS[name](tmp_path / name)
    assert np.array_equal(values().read(pair(tmp_path / name)), DRAWN)


def test_a_palette_image_gives_its_indices(tmp_path: Path) -> None:
    indices = Image.new("P", (3, 2))
    indices.putdata(DRAWN.ravel().tolist())
    indices.putpalette(PALETTE.ravel().tolist())
    indices.save(tmp_path / "p.png")
    assert np.array_equal(values().read(pair(tmp_path / "p.png")), DRAWN)
    assert np.array_equal(ColourMasks(COLOURS).read(pair(tmp_path / "p.png")), DRAWN)  # or its colours


def test_one_bit_is_0_and_1(tmp_path: Path) -> None:
    Image.fromarray(DRAWN > 0).save(tmp_path / "bits.png")
    assert np.array_equal(values(2).read(pair(tmp_path / "bits.png")), DRAWN > 0)
    assert np.array_equal(BinaryMasks().read(pair(tmp_path / "bits.png")), DRAWN > 0)


@pytest.mark.parametrize("alpha", [None, 255, 0, 7])
def test_colours_are_looked_up_whatever_the_transparency(tmp_path: Path, alpha: int | None) -> None:
    pixels = PALETTE[DRAWN]
    if alpha is not None:
        pixels = np.concatenate([pixels, np.full((2, 3, 1), alpha, np.uint8)], axis=2)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert np.array_equal(ColourMasks(COLOURS).read(pair(tmp_path / "mask.png")), DRAWN)


def test_unknown_colours_are_listed_with_counts_and_never_guessed(tmp_path: Path) -> None:
    pixels = PALETTE[DRAWN]
    pixels[0, 0], pixels[1, :2] = (128, 64, 127), (9, 9, 9)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"mask.png: 2 colours: \[9, 9, 9\] \(2 px\), \[128, 64, 127\] \(1 px\) in no"):
        ColourMasks(COLOURS).read(pair(tmp_path / "mask.png"))


def test_an_ignored_colour_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(PALETTE[DRAWN]).save(tmp_path / "mask.png")
    read = ColourMasks({**COLOURS, (0, 0, 0): IGNORE}).read(pair(tmp_path / "mask.png"))
    assert np.array_equal(read, np.where(DRAWN == 0, IGNORE, DRAWN))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([[0, 255, 3, 250]], np.uint8), [0, 1, 0, 1]),  # blurred by JPEG
        (np.array([[0, 1]], np.uint8), [0, 1]),
        (np.array([[0, 65535]], np.uint16), [0, 1]),
        (np.array([[0.0, 0.4, 0.6, 1.0]]), [0, 0, 1, 1]),
        (np.zeros((1, 2), np.uint8), [0, 0]),
        (np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8), [0, 1]),
    ],
    ids=str,
)
def test_black_and_white_is_told_apart_by_brightness(stored: np.ndarray, expected: list[int]) -> None:
    assert to_binary(stored, "mask").ravel().tolist() == expected


def test_a_jpeg_is_refused_unless_it_is_said_to_be_binary(tmp_path: Path) -> None:
    path = tmp_path / "mask.jpg"
    drawn = np.zeros((32, 32), np.uint8)
    drawn[8:24, 8:24] = 255
    Image.fromarray(drawn).save(path)
    for reader in (values(), ColourMasks(COLOURS)):
        with pytest.raises(DataError, match=r"stored as JPEG.*--data.masks binary"):
            reader.read(pair(path))
    assert np.array_equal(BinaryMasks().read(pair(path)), drawn // 255)


@pytest.mark.parametrize("wrong", [np.full((2, 3), 0.5), np.full((2, 3), np.nan), np.zeros((2, 3, 2, 2))], ids=str)
def test_fractions_and_other_shapes_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    np.save(tmp_path / "mask.npy", wrong)
    with pytest.raises(DataError, match=r"mask.npy"):
        read_numbers(tmp_path / "mask.npy")


def test_a_pickle_in_an_array_file_is_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"mask.npy: cannot be read as an array"):
        read_numbers(tmp_path / "mask.npy")


def write_areas(folder: Path, **areas: list[list[int]]) -> list[Path]:
    folder.mkdir(parents=True)
    for name, area in areas.items():
        Image.fromarray(np.array(area, dtype=np.uint8) * 255).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [("last", [1, 2, 2, 0]), ("first", [1, 1, 2, 0]), ("ignore", [1, IGNORE, 2, 0])],
)
def test_one_file_for_each_class_with_a_rule_for_overlaps(tmp_path: Path, overlap: str, expected: list[int]) -> None:
    parts = write_areas(tmp_path / "a", car=[[1, 1, 0, 0]], road_1=[[0, 1, 0, 0]], road_2=[[0, 0, 1, 0]])
    reader = ClassFileMasks({"car": 1, "road": 2}, rest=0, overlap=overlap)  # type: ignore[arg-type]
    assert reader.read(pair(tmp_path / "a", *parts)).ravel().tolist() == expected


def test_files_in_a_folder_for_each_class(tmp_path: Path) -> None:
    parts = [write_areas(tmp_path / name, frame=[area])[0] for name, area in (("car", [1, 0, 0]), ("road", [0, 1, 0]))]
    read = ClassFileMasks({"car": 0, "road": 1}).read(pair(tmp_path / "frame", *parts))
    assert read.ravel().tolist() == [0, 1, IGNORE]


def test_overlaps_and_unknown_files_are_refused_where_asked(tmp_path: Path) -> None:
    parts = write_areas(tmp_path / "a", car=[[1, 1]], road=[[0, 1]])
    with pytest.raises(DataError, match="1 pixels belong to two classes"):
        ClassFileMasks({"car": 0, "road": 1}, overlap="error").read(pair(tmp_path / "a", *parts))
    with pytest.raises(DataError, match=r"road.png: neither file nor folder is named after a class \(car\)"):
        ClassFileMasks({"car": 0}).read(pair(tmp_path / "a", *parts))


def test_readers_with_other_tables_have_other_keys() -> None:
    keys = [values(2).key, values(3).key, ColourMasks(COLOURS).key, BinaryMasks().key, ClassFileMasks({"a": 1}).key]
    keys += [ColourMasks({**COLOURS, (0, 0, 0): 2}).key, ClassFileMasks({"a": 1}, overlap="first").key]
    assert len(set(keys)) == len(keys)
