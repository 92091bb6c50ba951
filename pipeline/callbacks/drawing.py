"""Pictures of label maps, with title, captions and legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from foveate.datasets.labels import IGNORE, LabelSet
from foveate.pipeline.files import fitting, replacing

Pixels = NDArray[np.uint8]
Panel = tuple[str, Pixels]
Entry = tuple[str, tuple[int, int, int]]

SIDE = 1600  # largest height and width of a picture, in pixels
SMALL = 400  # smaller panels are enlarged to about this side, by an integer factor
NARROW = 640  # smallest width of a picture in pixels, so that the title fits
LARGE = 1_000_000  # pictures with at least this many pixels are written as JPEG
TEXT, LINE, GAP = 14, 22, 8  # pixels: height of letters, height of lines, gap
BAND = 1 << 20  # pixels that are blended at a time
WRONG = np.array([255, 0, 0], dtype=np.uint8)


def draw_overlay(image: Pixels, ids: NDArray[Any], labels: LabelSet, *, strength: float = 0.6) -> Pixels:
    """Blend the colours of train ids with an image; ignored pixels are left as they are.

    Args:
        image: RGB, (H, W, 3).
        ids: Train ids, (H, W).
        labels: The classes.
        strength: Weight of the colour in the blend, 0 to 1.
    """
    palette = labels.palette()
    out: Pixels = np.empty_like(image)
    rows = max(1, BAND // max(1, image.shape[1]))
    for top in range(0, len(image), rows):  # the numbers between are eight times as large as the picture
        band, numbers = image[top : top + rows], ids[top : top + rows]
        mixed = band * (1 - strength) + palette[numbers] * strength
        out[top : top + rows] = np.where((numbers == IGNORE)[..., None], band, mixed).astype(np.uint8)
    return out


def draw_errors(image: Pixels, truth: NDArray[Any], prediction: NDArray[Any]) -> Pixels:
    """A dark grey image with the wrong pixels in red and the ignored ones in black.

    Args:
        image: RGB, (H, W, 3).
        truth: True train ids, (H, W).
        prediction: Predicted train ids, (H, W).
    """
    grey = np.repeat((0.6 * image.mean(axis=2, keepdims=True)).astype(np.uint8), 3, axis=2)
    grey[truth == IGNORE] = 0
    grey[(truth != prediction) & (truth != IGNORE)] = WRONG
    return grey


def draw_comparison(
    image: Pixels, truth: NDArray[Any], prediction: NDArray[Any], labels: LabelSet, *, title: str = "", side: int = SIDE
) -> Image.Image:
    """Image, true and predicted overlay and the errors, in two rows, with a legend of the classes present.

    Args:
        image: RGB, (H, W, 3).
        truth: True train ids, (H, W).
        prediction: Predicted train ids, (H, W).
        labels: The classes.
        title: The line above.
        side: Largest height and width of the picture, in pixels.
    """
    panels = [
        ("image", image),
        ("label", draw_overlay(image, truth, labels)),
        ("prediction", draw_overlay(image, prediction, labels)),
        ("errors in red, ignored in black", draw_errors(image, truth, prediction)),
    ]
    return compose(title, panels, legend_of(labels, truth, prediction), columns=2, side=side)


def legend_of(labels: LabelSet, *maps: NDArray[Any]) -> list[Entry]:
    """Name and colour of the classes that occur in maps of train ids, in the data set's order."""
    present = sorted({int(number) for ids in maps for number in np.unique(ids)} - {IGNORE})
    palette = labels.palette()
    return [(labels.names[number], tuple(map(int, palette[number]))) for number in present]  # type: ignore[misc]


def compose(title: str, panels: Sequence[Panel], legend: Sequence[Entry], *, columns: int, side: int) -> Image.Image:
    """Panels of one size in rows under a title, each with its caption, a legend below.

    Args:
        title: The line above.
        panels: Captions, which may be empty, and pictures, (H, W, 3).
        legend: Names and colours.
        columns: Panels in a row.
        side: Largest height and width of the picture, in pixels.
    """
    rows = -(-len(panels) // columns)
    height, width = _panel_size(panels[0][1].shape[:2], rows, columns, side)
    across = min(side, max(NARROW, columns * (width + GAP) + GAP))
    lines = _flow(legend, across - 2 * GAP)
    caption = LINE if any(text for text, _ in panels) else 0
    down = GAP + LINE + rows * (caption + height + GAP) + LINE * len(lines) + GAP
    sheet = Image.new("RGB", (across, min(down, side)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    pen.text((GAP, GAP), _cut(title, across - 2 * GAP), "black", font)
    for number, (text, pixels) in enumerate(panels):
        left = GAP + number % columns * (width + GAP)
        top = GAP + LINE + number // columns * (caption + height + GAP)
        pen.text((left, top), _cut(text, width), "black", font)
        sheet.paste(_resize(pixels, height, width), (left, top + caption))
    _draw_legend(pen, lines, GAP + LINE + rows * (caption + height + GAP))
    return sheet


def save_picture(picture: Image.Image, path: Path) -> Path:
    """Write a picture, a large one as JPEG and a small one as PNG.

    Args:
        picture: The picture, (H, W, 3).
        path: The file, without its ending.

    Returns:
        The file.
    """
    kind = "JPEG" if picture.width * picture.height >= LARGE else "PNG"
    file = path.with_name(fitting(f"{path.name}.{'jpg' if kind == 'JPEG' else 'png'}"))
    with replacing(file, flush=False) as draft:
        picture.save(draft, format=kind, **({"quality": 90} if kind == "JPEG" else {}))
    return file


def _panel_size(shape: tuple[int, ...], rows: int, columns: int, side: int) -> tuple[int, int]:
    """Height and width of a panel: small ones are enlarged by an integer factor, large ones reduced to fit."""
    height, width = shape
    room_down = (side - 6 * LINE) / rows - LINE - GAP
    room_across = (side - GAP) / columns - GAP
    scale = min(room_down / height, room_across / width, float(max(1, SMALL // max(height, width))))
    return max(1, int(height * scale)), max(1, int(width * scale))


def _resize(pixels: Pixels, height: int, width: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    enlarged = height > image.height
    return image.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX)


def _flow(legend: Sequence[Entry], width: int) -> list[list[tuple[int, Entry]]]:
    """Legend entries in lines, each with its horizontal offset."""
    font = ImageFont.load_default(TEXT)
    lines: list[list[tuple[int, Entry]]] = []
    left = width
    for entry in legend:
        needed = TEXT + GAP // 2 + int(font.getlength(entry[0])) + 2 * GAP
        if left + needed > width:
            lines.append([])
            left = 0
        lines[-1].append((left, entry))
        left += needed
    return lines


def _draw_legend(pen: ImageDraw.ImageDraw, lines: Sequence[Sequence[tuple[int, Entry]]], top: int) -> None:
    font = ImageFont.load_default(TEXT)
    for number, line in enumerate(lines):
        for left, (name, colour) in line:
            x, y = GAP + left, top + number * LINE
            pen.rectangle((x, y + 2, x + TEXT, y + 2 + TEXT), fill=colour, outline="black")
            pen.text((x + TEXT + GAP // 2, y), name, "black", font)


def _cut(text: str, width: int) -> str:
    """The text, cut to fit."""
    font = ImageFont.load_default(TEXT)
    kept = len(text)
    while kept and font.getlength(text[:kept] + "…" * (kept < len(text))) > width:
        kept -= 1
    return text if kept == len(text) else f"{text[:kept]}…"
