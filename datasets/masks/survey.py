"""What the masks of a data set hold: values, colours, palettes, and how many pixels of each."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.files.reading import read_bytes
from foveate.datasets.masks.colours import RGB, decode_colour, encode_colours
from foveate.datasets.masks.stored import JPEG, Stored, as_numbers, read_pixels
from foveate.datasets.threads import in_threads

MOST = 4096  # different values that are counted; more are no classes
Counts = dict[int, int]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MaskContent:
    """What one mask holds.

    Attributes:
        path: The file.
        values: Whole number -> pixels; None if it holds colours or fractions.
        colours: Colour as 0xRRGGBB -> pixels, of masks with 8 bits.
        palette: Colour of each used index, for a palette image.
        lossy: Whether it is a JPEG.
        fault: Why it could not be read; empty if it could.
    """

    path: Path
    values: Counts | None = None
    colours: Counts | None = None
    palette: tuple[tuple[int, RGB], ...] = ()
    lossy: bool = False
    fault: str = ""


@dataclass
class MaskSurvey:
    """What many masks hold together.

    Attributes:
        count: Number of masks that were read.
        values: Whole number -> pixels.
        value_files: Whole number -> masks that hold it.
        colours: Colour as 0xRRGGBB -> pixels.
        coloured: Masks whose channels differ, which whole numbers cannot describe.
        palettes: Palette index -> colours that it has in any file.
        with_palette: Number of palette images.
        lossy: JPEG files.
        faults: Why files could not be read.
    """

    count: int = 0
    values: Counts = field(default_factory=dict)
    value_files: Counts = field(default_factory=dict)
    colours: Counts = field(default_factory=dict)
    coloured: list[Path] = field(default_factory=list)
    palettes: dict[int, set[RGB]] = field(default_factory=dict)
    with_palette: int = 0
    lossy: list[Path] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, content: MaskContent) -> None:
        """Count one mask."""
        if content.fault:
            self.faults.append(content.fault)
            return
        self.count += 1
        self.with_palette += bool(content.palette)
        if content.lossy:
            self.lossy.append(content.path)
        if content.values is None:
            self.coloured.append(content.path)
        for value, pixels in (content.values or {}).items():
            self.values[value] = self.values.get(value, 0) + pixels
            self.value_files[value] = self.value_files.get(value, 0) + 1
        for colour, pixels in (content.colours or {}).items():
            self.colours[colour] = self.colours.get(colour, 0) + pixels
        for index, rgb in content.palette:
            self.palettes.setdefault(index, set()).add(rgb)

    @property
    def pixels(self) -> int:
        """Number of pixels of all masks."""
        return max(sum(self.values.values()), sum(self.colours.values()))


def survey_masks(paths: Sequence[Path], progress: Progress = lambda done, total: None) -> MaskSurvey:
    """Read masks and count what they hold, several at once.

    Args:
        paths: The files.
        progress: Told after each.
    """
    survey = MaskSurvey()
    for done, content in enumerate(in_threads(examine_mask, paths), start=1):
        survey.add(content)
        progress(done, len(paths))
    return survey


def examine_mask(path: Path) -> MaskContent:
    """What one mask holds; a damaged file is a fault and no error."""
    try:
        lossy = read_bytes(path).startswith(JPEG)
        pixels = read_pixels(path, lossy=True)
        palette = _palette(path)
        if palette:
            indices = _indices(path)
            counts = count_runs(indices)
            used = tuple((value, palette[value]) for value in counts if value < len(palette))
            return MaskContent(path, counts, _count_colours(pixels), used, lossy)
        values = _count_numbers(pixels, path)
        return MaskContent(path, values, _count_colours(pixels) if pixels.dtype == np.uint8 else None, (), lossy)
    except DataError as error:
        return MaskContent(path, fault=str(error))


def _count_numbers(pixels: Stored, path: Path) -> Counts | None:
    try:
        return count_runs(as_numbers(pixels, path))
    except DataError:
        if pixels.ndim == 2:  # fractions
            raise
        return None


def _count_colours(pixels: Stored) -> Counts:
    return count_runs(encode_colours(pixels if pixels.ndim == 2 else pixels[..., :3], ""))


def count_runs(numbers: NDArray[np.generic]) -> Counts:
    """Number -> how often it occurs, of the most frequent 4096.

    Masks hold long runs of one value, so that only the runs are sorted.

    Args:
        numbers: Whole numbers (H, W).

    Example:
        >>> count_runs(np.array([[3, 3, 0], [0, 0, 3]]))
        {0: 3, 3: 3}
    """
    flat = np.ravel(numbers)
    if not flat.size:
        return {}
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    values, inverse = np.unique(flat[starts], return_inverse=True)
    totals = np.bincount(inverse.ravel(), weights=lengths).astype(np.int64)
    kept = np.sort(np.argsort(-totals, kind="stable")[:MOST])
    return {int(values[place]): int(totals[place]) for place in kept}


def _palette(path: Path) -> list[RGB]:
    """The colours of a palette image; empty for any other."""
    if path.suffix.lower() == ".npy":
        return []
    try:
        with Image.open(path) as image:
            palette = image.getpalette("RGB") if image.mode == "P" else None
    except Exception:  # the pixels were read, so only odd metadata is left
        return []
    return list(_triples(palette or []))


def _triples(numbers: Sequence[int]) -> Iterator[RGB]:
    for place in range(0, len(numbers) - 2, 3):
        yield numbers[place], numbers[place + 1], numbers[place + 2]


def _indices(path: Path) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(read_bytes(path))) as image:
        return np.asarray(image)


def colour_name(code: int) -> str:
    """A colour as #rrggbb.

    Example:
        >>> colour_name(0x804080)
        '#804080'
    """
    red, green, blue = decode_colour(code)
    return f"#{red:02x}{green:02x}{blue:02x}"
