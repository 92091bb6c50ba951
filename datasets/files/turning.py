"""EXIF's eight orientations, as turns of arrays."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Shaped

from foveate.datasets.errors import DataError

UPRIGHT = 1
ORIENTATION = 0x0112  # EXIF's and TIFF's tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width
INVERSE = {6: 8, 8: 6}  # every other one is its own inverse
Exif = Literal["auto", "apply", "ignore"]
Pixels = Shaped[np.ndarray, "H W C"]
Turned = Shaped[np.ndarray, "h w C"]


def turned(pixels: Pixels, orientation: int) -> Turned:
    """An image the right way up.

    Args:
        pixels: As stored.
        orientation: EXIF's: 1 upright, 3 upside down, 6 and 8 on its side, the others mirrored.

    Source:
        CIPA DC-008-2023, Exif 3.0, tag 0112.

    Example:
        >>> turned(np.arange(2).reshape(1, 2, 1), 6).ravel().tolist()
        [0, 1]
    """
    if orientation in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def turned_back(pixels: Pixels, orientation: int) -> Turned:
    """An image as it is stored, from the one that is the right way up.

    Args:
        pixels: Upright.
        orientation: EXIF's.
    """
    return turned(pixels, INVERSE.get(orientation, orientation))


def turned_to_fit(pixels: Pixels, orientation: int, size: tuple[int, int], where: str) -> Turned:
    """An image turned or not, whichever has the size of its label map.

    Args:
        pixels: As stored.
        orientation: EXIF's, other than 1.
        size: Height and width of the label map.
        where: The image file, for the message.

    Raises:
        DataError: Both sizes fit, so that they do not tell whether the label map is turned.
    """
    upright = turned(pixels, orientation)
    fits = [choice.shape[:2] == size for choice in (upright, pixels)]
    if all(fits):
        raise DataError(
            f"{where}: its EXIF orientation is {orientation}, and its label map fits the image turned by it and the "
            "image as stored: give --data.exif apply where label maps are drawn on turned images, ignore where on "
            "stored ones"
        )
    return pixels if fits[1] else upright
