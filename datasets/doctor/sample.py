"""What is known of one pair of files, in little memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.doctor.headers import Header, Size


class Trouble(StrEnum):
    """Why a file could not be read."""

    EMPTY = "empty"
    DAMAGED = "damaged"
    LOSSY = "lossy"  # a label map stored as JPEG
    COLOUR = "colour"  # a label map in colour, where numbers are expected
    FRACTION = "fraction"  # a label map with fractions
    UNKNOWN = "unknown"  # a label map that holds what no class stands for
    UNLIKE = "unlike"  # an image that the options of the data set do not read


@dataclass(slots=True)
class Counts:
    """How often something occurs in one mask.

    Attributes:
        keys: Numbers, ascending.
        pixels: Pixels of each.
    """

    keys: NDArray[np.int32]
    pixels: NDArray[np.int32]

    def items(self) -> list[tuple[int, int]]:
        """Number and pixels of each."""
        return list(zip(self.keys.tolist(), self.pixels.tolist(), strict=True))


@dataclass(slots=True)
class MaskFacts:
    """What one label map holds.

    Attributes:
        size: Height and width.
        stored: Numbers in the file, of a label map of numbers.
        ids: Train ids; 255 is ignored, 254 stands for no class.
        palette: Four bytes for each number that is used and has a colour: the number, red, green, blue.
        edges: Places in a row where the number changes, in a sample of the rows.
        between: Those of them where three pixels in a row ascend or descend.
        lonely: Single pixels between two changes.
        rungs: How many different numbers ascend or descend so.
    """

    size: Size
    ids: Counts
    stored: Counts | None = None
    palette: bytes = b""
    edges: int = 0
    between: int = 0
    lonely: int = 0
    rungs: int = 0


@dataclass(slots=True)
class Sample:
    """What is known of a pair.

    Attributes:
        index: Position of the pair in its split.
        image: Header of the image.
        image_size: Height and width of the image as stored.
        mask: Header of the label map.
        mask_size: Height and width of the label map.
        content: Digest of the image's file.
        thumbnail: 16 x 16 grey bytes of the image.
        clipped: Share of the image's values that lie outside the range which becomes 0 to 255.
        held: What the label map holds.
        troubles: What could not be read, and why.
        sides: Train id -> sides of its objects in pixels, where they were measured.
        label: Class of the image, in a data set of classes.
    """

    index: int
    image: Header | None = None
    image_size: Size | None = None
    mask: Header | None = None
    mask_size: Size | None = None
    content: bytes = b""
    thumbnail: bytes = b""
    clipped: float = 0.0
    held: MaskFacts | None = None
    troubles: list[tuple[Trouble, str, str]] = field(default_factory=list)  # why, image or mask, message
    sides: dict[int, NDArray[np.float32]] | None = None
    label: int = -1

    def add(self, trouble: Trouble, side: str, message: object) -> None:
        """Note what could not be read."""
        self.troubles.append((trouble, side, " ".join(str(message).split())))
