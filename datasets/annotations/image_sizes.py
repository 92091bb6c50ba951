"""Height and width of images as they are seen, from their headers."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import ExifTags

from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import MAX_PIXELS, opened
from foveate.datasets.files.png import PNG
from foveate.datasets.files.reading import HEAD, read_image, read_size
from foveate.datasets.files.turning import SIDEWAYS

WITH_EXIF = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # chunks of a PNG that may hold an orientation


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of an image after the rotation that EXIF asks for.

    Args:
        path: The image.

    Raises:
        DataError: The file is missing, or no image.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if head.startswith(PNG):
            return _decoded_size(path) if _may_be_turned(path) else read_size(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    try:
        with opened(head, str(path), MAX_PIXELS) as image:
            width, height = image.size
            return (width, height) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (height, width)
    except DataError:  # what is looked for lies farther behind
        return _decoded_size(path)


def _decoded_size(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return height, width


def _may_be_turned(path: Path) -> bool:
    """Whether a PNG has a chunk that may hold an orientation; Pillow would decode the image to tell."""
    with path.open("rb") as file:
        file.seek(len(PNG))
        while len(start := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", start)
            if name in WITH_EXIF:
                return True
            file.seek(length + 4, 1)
    return False
