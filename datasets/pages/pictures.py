"""Small pictures inside a page, as many as fit its size."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import cv2
import numpy as np
from jaxtyping import UInt8

from foveate.datasets.pages.page import LIMIT, plain

SIDE = 320  # pixels of a picture's longer side
QUALITY = 75
SHARE = 0.8  # of a page's bytes that pictures may take; text takes the rest
RGB = UInt8[np.ndarray, "H W 3"]
Mask = UInt8[np.ndarray, "H W"]
Palette = UInt8[np.ndarray, "256 3"]
FLAG = (255, 0, 200)  # colour of marked pixels
BAND = 7  # pixels round a mark, in a thumbnail


class Pictures:
    """Makes pictures until the bytes are used up; what is left out is counted.

    Args:
        limit: Bytes that all pictures together may take.

    Attributes:
        left_out: Pictures that did not fit.
    """

    def __init__(self, limit: int = int(SHARE * LIMIT)) -> None:
        self._left = limit
        self.left_out = 0

    def figure(self, image: RGB, caption: str, side: int = SIDE) -> str:
        """A picture with a caption as HTML; empty if no room is left.

        Args:
            image: RGB bytes, of any size.
            caption: A line below it.
            side: Pixels of its longer side at most.
        """
        address = encode(image, side)
        if len(address) + len(caption) > self._left:
            self.left_out += 1
            return ""
        self._left -= len(address) + len(caption)
        text = plain(caption)
        return f'<figure><img src="{address}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def gallery(figures: Iterable[str]) -> str:
    """Figures side by side; empty if there are none.

    Args:
        figures: HTML of `Pictures.figure`.
    """
    shown = "".join(figures)
    return f'<div class="pictures">{shown}</div>' if shown else ""


def encode(image: RGB, side: int = SIDE) -> str:
    """The address of an image inside a page: a WebP in base64.

    Args:
        image: RGB bytes, of any size.
        side: Pixels of its longer side at most.
    """
    _, coded = cv2.imencode(".webp", shrink(image, side)[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return f"data:image/webp;base64,{base64.b64encode(coded.tobytes()).decode()}"


def shrink(image: UInt8[np.ndarray, "H W C"], side: int = SIDE) -> UInt8[np.ndarray, "h w C"]:
    """An image whose longer side is at most so long; smaller ones stay as they are.

    Args:
        image: Bytes.
        side: Pixels.
    """
    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8).reshape(size[1], size[0], image.shape[2])


def overlay(image: RGB, mask: Mask, palette: Palette, weight: float = 0.55) -> RGB:
    """An image under the colours of its mask; ignored pixels keep the image's own.

    Args:
        image: RGB bytes.
        mask: Train ids, 255 where ignored.
        palette: Train id -> colour.
        weight: Of the colours.
    """
    coloured = palette[mask]
    mixed = cv2.addWeighted(image, 1 - weight, coloured, weight, 0)
    return np.where((mask == 255)[..., None], image, mixed)


def mark(image: RGB, where: np.ndarray, side: int = SIDE) -> RGB:
    """An image with some pixels in a loud colour; single pixels are widened, so that a thumbnail shows them.

    Args:
        image: RGB bytes (H, W, 3).
        where: Which pixels (H, W), bool.
        side: Of the thumbnail that will be made of it.
    """
    reach = max(1, BAND * max(image.shape[:2]) // side)
    wide = cv2.dilate(where.astype(np.uint8), np.ones((reach, reach), np.uint8))
    marked = image.copy()
    marked[wide > 0] = FLAG
    return marked
