"""Images as users have them, files, bytes, arrays, tensors and PIL images, as bytes (H, W, C)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import decode_image
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.reading import read_bytes
from foveate.datasets.files.stored_image import Stored, orientation_of, stored_mode
from foveate.datasets.files.turning import turned
from foveate.datasets.files.value_range import to_bytes
from foveate.pipeline.errors import UnusableDataError

ImageInput = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | Tensor
Pixels = UInt8[np.ndarray, "H W C"]
ACCEPTED = "a path, bytes of an image file, a PIL image, an array (H, W, C) or (H, W), or a tensor (C, H, W) or (H, W)"
FEW = 16  # channels; an array whose first axis is shorter, and whose last is longer, is probably (C, H, W)


class Taken(NamedTuple):
    """An image in bytes.

    Attributes:
        name: Its path, or which of the images it is.
        pixels: Its bytes, upright.
    """

    name: str
    pixels: Pixels


def take_image(image: object, name: str, reader: ImageReader, channels: int, *, rgb: bool) -> Taken:
    """An image in bytes.

    Args:
        image: The image.
        name: What it is called in messages if it is no file.
        reader: How files are read for a segmenter.
        channels: Channels that the network takes.
        rgb: Read files as a classifier's: always as RGB.

    Raises:
        UnusableDataError: It is damaged, or of a kind, type, shape or range of values that is not accepted.
    """
    try:
        if isinstance(image, str | os.PathLike):
            path = Path(image).expanduser()
            return Taken(str(image), _decoded(read_bytes(path), path, reader, rgb=rgb))
        if isinstance(image, bytes | bytearray | memoryview):
            return Taken(name, _decoded(bytes(image), Path(name), reader, rgb=rgb))
        if isinstance(image, Image.Image):
            return Taken(name, _from_pil(image, name, reader, rgb=rgb))
    except DataError as error:
        raise UnusableDataError(str(error)) from error
    if isinstance(image, Tensor):
        return Taken(name, from_values(_planes_last(image, name), name, reader, channels))
    if isinstance(image, np.ndarray):
        return Taken(name, from_values(image, name, reader, channels))
    raise UnusableDataError(f"{name}: a {type(image).__name__} is no image; give {ACCEPTED}")


def _decoded(data: bytes, path: Path, reader: ImageReader, *, rgb: bool) -> Pixels:
    if not data:
        raise DataError(f"{path}: empty (0 bytes); give the content of an image file")
    if rgb:
        return decode_image(data, str(path), max_pixels=reader.max_pixels)
    pixels, orientation = reader.decode(data, path)
    return np.ascontiguousarray(turned(pixels, orientation))


def _from_pil(image: Image.Image, name: str, reader: ImageReader, *, rgb: bool) -> Pixels:
    try:
        mode = "RGB" if rgb else stored_mode(image.mode)
        values: NDArray[Any] = np.array(image if image.mode == mode else image.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:  # the file behind it is damaged
        raise DataError(f"{name}: cannot be read as an image: {type(error).__name__}: {error}") from error
    planes = values[..., None] if values.ndim == 2 else values
    alpha = (planes.shape[2] - 1,) if mode in ("RGBA", "LA") else ()
    pixels = reader.to_pixels(Stored(planes, alpha=alpha), Path(name))
    upright = pixels if reader.exif == "ignore" and not rgb else turned(pixels, orientation_of(image))
    return np.ascontiguousarray(upright)


def _planes_last(image: Tensor, name: str) -> NDArray[Any]:
    """A tensor (C, H, W) as an array (H, W, C)."""
    array: NDArray[Any] = image.detach().cpu().float().numpy() if image.is_floating_point() else image.cpu().numpy()
    if array.ndim == 3 and array.shape[2] <= FEW < array.shape[0]:
        raise UnusableDataError(
            f"{name}: a tensor {tuple(array.shape)} looks like (H, W, C); a tensor is (C, H, W): image.permute(2, 0, 1)"
        )
    return np.moveaxis(array, 0, -1) if array.ndim == 3 else array


def from_values(array: NDArray[Any], name: str, reader: ImageReader, channels: int) -> Pixels:
    """An array of numbers in bytes; grey becomes as many equal channels as the network takes.

    Args:
        array: (H, W, C) or (H, W): uint8, floats in 0-1, or whole numbers if the reader has a range for them.
        name: What it is called in messages.
        reader: Its range is used.
        channels: How many the network takes.

    Raises:
        UnusableDataError: Shape, type or values are not accepted.
    """
    planes = array[..., None] if array.ndim == 2 else array
    if planes.ndim != 3:
        raise UnusableDataError(
            f"{name}: an array of shape {array.shape}; one image is (H, W, C) or (H, W), several are a list of such"
        )
    height, width, found = planes.shape
    if planes.size == 0:
        raise UnusableDataError(f"{name}: {height} x {width} with {found} channels holds no pixel")
    if height * width > reader.max_pixels:
        raise UnusableDataError(f"{name}: {height} x {width} is more than the {reader.max_pixels} pixels allowed")
    if found == 1:
        planes = np.repeat(planes, channels, axis=2)
    elif found != channels:
        raise UnusableDataError(f"{name}: {found} channels; {_advice(planes.shape, channels)}")
    return np.array(_bytes(planes, name, reader), order="C")  # a copy: the caller may reuse its array


def _advice(shape: tuple[int, ...], channels: int) -> str:
    wanted = f"the model takes {channels} channels, or 1 (grey)"
    if shape[0] == channels:
        return f"{wanted}; {shape} looks like (C, H, W): give image.transpose(1, 2, 0), or a torch tensor"
    if channels < shape[2] <= FEW:
        return f"{wanted}: give image[..., :{channels}]"
    return wanted


def _bytes(values: NDArray[Any], name: str, reader: ImageReader) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # also NaN
            raise UnusableDataError(
                f"{name}: floats from {low:.6g} to {high:.6g}; floats are in 0 to 1: divide by 255, or give uint8"
            )
        return np.rint(values.astype(np.float32) * 255).astype(np.uint8)
    if values.dtype.kind in "iu" and reader.range is not None:
        return to_bytes(values, reader.range)
    raise UnusableDataError(
        f"{name}: values of type {values.dtype}; give uint8 in 0 to 255 or floats in 0 to 1: image.astype('uint8')"
    )


def to_planes(pixels: Pixels, transform: Callable[..., Tensor] | None) -> Tensor:
    """Bytes (H, W, C) as a tensor (C, H, W), resized for a classifier (its views: (V, C, H, W)).

    Args:
        pixels: The image.
        transform: Resizes it; None leaves it as it is.
    """
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return planes if transform is None else transform(planes, seed=0)
