"""A picture of a confusion matrix: each row is a true class, and shares of a row are shades of blue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 720  # pixels: the matrix is about this large
CELLS = (4, 40)  # pixels: smallest and largest side of a cell
NAMED = 60  # most classes whose names are written beside the matrix
LETTERS = 22  # characters of a name that are written
MARGIN, TEXT = 8, 12
SHADES = ((255, 255, 255), (107, 174, 214), (8, 48, 107))  # a share of 0, 0.5 and 1
EMPTY = (225, 225, 225)  # a class of which there is nothing


def row_shares(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Each row divided by its sum; NaN where there is nothing.

    Args:
        confusion: Counts, (K, K): true class, predicted class.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def most_confused(confusion: NDArray[Any], names: Sequence[str], most: int) -> list[tuple[str, str, float, int]]:
    """The largest shares beside the diagonal: true class, predicted class, share of the true class, count.

    Args:
        confusion: Counts, (K, K): true class, predicted class.
        names: K names.
        most: How many at most.
    """
    shares = row_shares(confusion)
    np.fill_diagonal(shares, np.nan)
    flat = np.nan_to_num(shares).ravel()
    order = np.argsort(-flat, kind="stable")[:most]
    places = [divmod(int(place), len(names)) for place in order if flat[place] > 0]
    return [(names[i], names[j], float(shares[i, j]), int(confusion[i][j])) for i, j in places]


def draw_confusion(confusion: NDArray[Any], names: Sequence[str], title: str = "") -> Image.Image:
    """The matrix, with names to the left where there is room; predicted classes follow in the same order.

    Args:
        confusion: Counts, (K, K): true class, predicted class.
        names: K names.
        title: The line above.
    """
    cell = min(CELLS[1], max(CELLS[0], SIDE // len(names)))
    font = ImageFont.load_default(TEXT)
    shown = [name[:LETTERS] for name in names] if len(names) <= NAMED else []
    left = MARGIN + max([int(font.getlength(name)) + MARGIN for name in shown], default=0)
    top, side = 2 * MARGIN + 2 * TEXT, cell * len(names)
    sheet = Image.new("RGB", (left + max(side, SIDE // 2) + MARGIN, top + side + MARGIN), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, "black", font)
    sheet.paste(
        Image.fromarray(np.kron(_colours(row_shares(confusion)), np.ones((cell, cell, 1), np.uint8))), (left, top)
    )
    pen.rectangle((left - 1, top - 1, left + side, top + side), outline="black")
    for number, name in enumerate(shown):
        pen.text((MARGIN, top + number * cell + (cell - TEXT) // 2 - 1), name, "black", font)
    return sheet


def _colours(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    stops = np.linspace(0, 1, len(SHADES))
    mixed = [np.interp(np.nan_to_num(shares), stops, [shade[band] for shade in SHADES]) for band in range(3)]
    colours = np.stack(mixed, axis=-1)
    colours[np.isnan(shares)] = EMPTY
    return colours.round().astype(np.uint8)
