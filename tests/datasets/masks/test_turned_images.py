"""An image with an EXIF orientation and its label map end up the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.turning import ORIENTATION, Exif, turned
from foveate.datasets.labels import CAMVID
from foveate.datasets.masks.reader import PairReader
from foveate.datasets.masks.values import ValueMasks

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def pair(folder: Path, orientation: int, size: tuple[int, int], pixels: np.ndarray = PIXELS) -> Pair:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(folder / "a.png", exif=exif)
    Image.new("L", size[::-1]).save(folder / "mask.png")
    return Pair(folder / "a.png", folder / "mask.png")


def reader(exif: Exif = "auto") -> PairReader:
    return PairReader(ValueMasks(CAMVID.to_train_ids()), ImageReader(exif=exif))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_of_the_label_map_decides(tmp_path: Path, orientation: int) -> None:
    image, _ = reader().read(pair(tmp_path, orientation, (6, 4)))
    assert np.array_equal(image, turned(PIXELS, orientation))
    image, _ = reader().read(pair(tmp_path, orientation, (4, 6)))
    assert np.array_equal(image, PIXELS)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_where_both_fit_the_user_says_which(tmp_path: Path, orientation: int) -> None:
    ambiguous = pair(tmp_path, orientation, (4, 6))
    with pytest.raises(DataError, match=rf"a\.png: its EXIF orientation is {orientation}, .* --data\.exif apply"):
        reader().read(ambiguous)
    assert np.array_equal(reader("apply").read(ambiguous)[0], turned(PIXELS, orientation))
    assert np.array_equal(reader("ignore").read(ambiguous)[0], PIXELS)


def test_squares_are_asked_about_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ignore where on stored ones"):
        reader().read(pair(tmp_path, 6, (4, 4), PIXELS[:, :4]))


def test_a_size_that_fits_neither_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png is 6 x 4, but .*mask\.png is 5 x 5"):
        reader().read(pair(tmp_path, 6, (5, 5)))


def test_the_key_of_a_pair_is_that_of_its_masks_by_default() -> None:
    assert reader().key == ValueMasks(CAMVID.to_train_ids()).key
    assert reader("ignore").key != reader().key
