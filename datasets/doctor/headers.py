"""What the header of an image file says, in a form that many files share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from foveate.datasets.files.kinds import ImageKind, image_kind

Size = tuple[int, int]  # height and width


@dataclass(frozen=True)
class Header:
    """What a header says, without the size.

    Attributes:
        format: PNG, JPEG, TIFF, NPY ..., as Pillow names it.
        mode: Pillow's mode; `bands` of other TIFF files and arrays.
        channels: Values of a pixel, with alpha.
        dtype: Their type.
        alpha: Whether one of them is alpha.
        orientation: EXIF's; 1 is upright.
        pages: Images in the file.
    """

    format: str
    mode: str
    channels: int
    dtype: str
    alpha: bool
    orientation: int
    pages: int

    @property
    def is_float(self) -> bool:
        """Whether its values are fractions."""
        return self.dtype.startswith("float")


_one = lru_cache(maxsize=4096)(Header)  # one object for all files of a kind


def read_header(path: Path) -> tuple[Header, Size]:
    """The header of an image file, and height and width as they are stored.

    Args:
        path: The file.

    Raises:
        DamagedError: It is missing, or no image.
    """
    kind: ImageKind = image_kind(path)
    header = _one(kind.format, kind.mode, kind.channels, kind.dtype, bool(kind.alpha), kind.orientation, kind.pages)
    return header, (kind.height, kind.width)
