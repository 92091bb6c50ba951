"""EXIF's turns."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from foveate.datasets.errors import DataError
from foveate.datasets.files.turning import ORIENTATION, turned, turned_back, turned_to_fit

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_turn_is_pillows_and_can_be_undone(orientation: int) -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[ORIENTATION] = orientation
    upright = turned(PIXELS, orientation)
    assert np.array_equal(upright, np.asarray(ImageOps.exif_transpose(image)))
    assert np.array_equal(turned_back(upright, orientation), PIXELS)


def test_the_size_of_the_label_map_decides() -> None:
    assert np.array_equal(turned_to_fit(PIXELS, 6, (6, 4), "a.jpg"), turned(PIXELS, 6))
    assert np.array_equal(turned_to_fit(PIXELS, 6, (4, 6), "a.jpg"), PIXELS)


@pytest.mark.parametrize(("pixels", "orientation"), [(PIXELS, 3), (PIXELS[:, :4], 6)], ids=["180 degrees", "square"])
def test_where_both_fit_the_user_is_asked(pixels: np.ndarray, orientation: int) -> None:
    size = (pixels.shape[0], pixels.shape[1])
    with pytest.raises(DataError, match=rf"a.jpg: its EXIF orientation is {orientation}.*--data.exif apply .* ignore"):
        turned_to_fit(pixels, orientation, size, "a.jpg")
