"""The page itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from jaxtyping import Int64, UInt8

from foveate.datasets.counting.values import count_values
from foveate.datasets.labels import IGNORE, LabelSet
from foveate.datasets.pages.page import Bar, bars, paragraph, plain, render_page, section
from foveate.datasets.pages.pictures import SIDE, Pictures, gallery, overlay, shrink
from foveate.datasets.view.samples import Box, Image, Mask, Shown

AT_FULL_SIDE = 24  # samples; of more, pictures are smaller
SMALLEST = 96  # pixels of a picture's longer side
STRIPE = 8  # pixels
RGB = UInt8[np.ndarray, "H W 3"]


def render_samples(
    title: str, facts: Iterable[str], samples: Iterable[Shown], labels: LabelSet | None, count: int
) -> str:
    """A page of samples, below 5 MB whatever their number.

    Args:
        title: Its heading.
        facts: Lines below it.
        samples: What is shown.
        labels: Classes and colours of the masks; None of classification.
        count: Number of samples, by which pictures are sized.
    """
    pictures, side = Pictures(), max(SMALLEST, int(SIDE * min(1.0, AT_FULL_SIDE / max(1, count)) ** 0.5))
    pixels = np.zeros(256, dtype=np.int64)
    cards = []
    for shown in samples:
        cards.append(_card(shown, labels, pictures, side))
        if shown.mask is not None:
            pixels += count_values(shown.mask)
    sections = [] if labels is None else [section("Classes in these samples", bars(_bars(pixels, labels)))]
    left_out = f"{pictures.left_out} pictures were left out, to keep the page below 5 MB." if pictures.left_out else ""
    sections.append(section("Samples", *([paragraph(left_out)] if left_out else []), *cards))
    return render_page(title, facts, sections)


def _card(shown: Shown, labels: LabelSet | None, pictures: Pictures, side: int) -> str:
    figures = [pictures.figure(framed(shrink(as_rgb(shown.original), side), shown.box), "as stored", side)]
    image = as_rgb(shown.image)
    figures.append(pictures.figure(image, "what the network gets", side))
    if shown.mask is not None and labels is not None:
        figures.append(pictures.figure(covered(image, shown.mask, labels), "with its mask; ignored striped", side))
    lines = "<br>".join(map(plain, shown.lines))
    return f'<div class="card"><h3>{plain(shown.path)}</h3>{gallery(figures)}<p class="soft">{lines}</p></div>'


def _bars(pixels: Int64[np.ndarray, "256"], labels: LabelSet) -> Sequence[Bar]:
    """A bar for each class that occurs, and for ignored pixels."""
    total, longest = max(1, int(pixels.sum())), max(1, int(pixels.max()))
    shown = [number for number in (*range(len(labels)), IGNORE) if pixels[number]]
    return [
        Bar(
            name=labels.names[number] if number != IGNORE else "ignored",
            share=float(pixels[number] / longest),
            text=f"{100 * pixels[number] / total:.2f} %",
            colour=labels.colours[number] if number != IGNORE else None,
        )
        for number in shown
    ]


def as_rgb(image: Image) -> RGB:
    """An image for the eye: its first three channels, or its only one as grey.

    Args:
        image: Bytes of any number of channels.
    """
    channels = image.shape[2]
    chosen = [min(channel, channels - 1) for channel in range(3)] if channels != 2 else [0, 0, 1]
    return np.ascontiguousarray(image if channels == 3 else image[..., chosen])


def framed(image: RGB, box: Box | None) -> RGB:
    """An image with a part marked by a frame, light inside dark.

    Args:
        image: RGB bytes.
        box: The part; None marks none.
    """
    marked = image.copy()
    if box is None:
        return marked
    height, width = image.shape[:2]
    top, left = round(box[0] * height), round(box[1] * width)
    bottom, right = round(box[2] * height) - 1, round(box[3] * width) - 1
    for colour, thickness in (((0, 0, 0), 4), ((255, 230, 0), 2)):
        cv2.rectangle(marked, (left, top), (right, bottom), colour, thickness)
    return marked


def covered(image: RGB, mask: Mask, labels: LabelSet) -> RGB:
    """An image under the colours of its classes; ignored pixels are striped.

    Args:
        image: RGB bytes.
        mask: Train ids.
        labels: Names and colours.
    """
    mixed = overlay(image, mask, labels.palette())
    diagonals = np.add.outer(np.arange(mask.shape[0]), np.arange(mask.shape[1]))
    striped = (mask == IGNORE) & (diagonals // STRIPE % 2 == 0)
    mixed[striped] = 255 - (255 - mixed[striped]) // 3
    return mixed
