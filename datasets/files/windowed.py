"""Images that are read by windows, since the whole would fill the memory: tiled, striped or plain TIFF files."""

from __future__ import annotations

import logging
import weakref
from collections import OrderedDict
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.stored_image import Stored
from foveate.datasets.files.tiff import BLACK_IS_ZERO, MAGIC, RGB, WHITE_IS_ZERO, TiffHeader, read_header
from foveate.datasets.files.turning import UPRIGHT

KEPT_BYTES = 256 << 20  # decoded tiles or strips that are kept, so that the next window need not decode them again
FROM = 1 << 24  # pixels above which an image is read by windows
LARGEST_CHUNK = 1 << 26  # pixels of a tile or strip; a file whose chunks are larger is read as a whole
Part = tuple[EllipsisType, slice, slice]


class WindowedImage:
    """An image in bytes (1, C, H, W) of which windows are read from its file: `image[..., rows, columns]`.

    Args:
        path: A TIFF file for which `open_windowed` gave this.
        reader: Which bands and which range of values are read.
        header: What the file says of itself.
    """

    def __init__(self, path: Path, reader: ImageReader, header: TiffHeader) -> None:
        self.path, self.reader, self.header = path, reader, header
        self._page: Any = None
        self._chunks: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self.channels = len(self._planes(slice(0, 1), slice(0, 1)))

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: the file is opened there again."""
        return {**self.__dict__, "_page": None, "_chunks": OrderedDict(), "_bytes": 0}

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(1, C, H, W)."""
        return 1, self.channels, self.header.height, self.header.width

    def __getitem__(self, part: Part) -> UInt8[Tensor, "1 C h w"]:
        """Rows and columns of the image.

        Args:
            part: `(..., rows, columns)`, both with start and end.

        Raises:
            DataError: The file is damaged.
        """
        _, rows, columns = part
        height, width = self.header.height, self.header.width
        area = slice(*rows.indices(height)[:2]), slice(*columns.indices(width)[:2])
        return torch.from_numpy(self._planes(*area))[None]

    def _planes(self, rows: slice, columns: slice) -> UInt8[np.ndarray, "C h w"]:
        values = self._values(rows, columns)
        if self.header.photometric == WHITE_IS_ZERO and values.dtype.kind == "u":
            values = np.iinfo(values.dtype).max - values
        stored = Stored(values, UPRIGHT, self.header.alpha, self.header.nodata)
        return np.ascontiguousarray(self.reader.to_pixels(stored, self.path).transpose(2, 0, 1))

    def _values(self, rows: slice, columns: slice) -> NDArray[Any]:
        page = self._opened()
        size = (rows.stop - rows.start, columns.stop - columns.start)
        out = np.empty((*size, self.header.samples), dtype=self.header.dtype)
        tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        across = -(-page.imagewidth // wide)
        down = -(-page.imagelength // tall)
        bands = range(self.header.samples) if self.header.separate else (None,)
        for band in bands:
            for down_at in range(rows.start // tall, -(-rows.stop // tall)):
                for across_at in range(columns.start // wide, -(-columns.stop // wide)):
                    number = ((band or 0) * down + down_at) * across + across_at
                    chunk = self._chunk(page, number)
                    top, left = down_at * tall, across_at * wide
                    target_rows, taken_rows = _shared(rows, top, chunk.shape[0])
                    target_columns, taken_columns = _shared(columns, left, chunk.shape[1])
                    where = slice(None) if band is None else slice(band, band + 1)
                    out[target_rows, target_columns, where] = chunk[taken_rows, taken_columns]
        return out

    def _opened(self) -> Any:
        if self._page is None:
            import tifffile  # late: an extra, needed for few files

            logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what fails is raised
            file = tifffile.TiffFile(self.path)
            weakref.finalize(self, file.close)
            self._page = file.pages[0]
        return self._page

    def _chunk(self, page: Any, number: int) -> NDArray[Any]:
        """A tile or strip (h, w, samples), from memory if it was used lately."""
        if number in self._chunks:
            self._chunks.move_to_end(number)
            return self._chunks[number]
        chunk = _decode(page, number, self.path)
        self._chunks[number] = chunk
        self._bytes += chunk.nbytes
        while self._bytes > KEPT_BYTES and len(self._chunks) > 1:
            self._bytes -= self._chunks.popitem(last=False)[1].nbytes
        return chunk


def _shared(wanted: slice, start: int, length: int) -> tuple[slice, slice]:
    """The part that a window and a chunk share: within the window, and within the chunk."""
    first, last = max(wanted.start, start), min(wanted.stop, start + length)
    return slice(first - wanted.start, last - wanted.start), slice(first - start, last - start)


def _decode(page: Any, number: int, path: Path) -> NDArray[Any]:
    try:
        file = page.parent.filehandle
        file.seek(page.dataoffsets[number])
        data = file.read(page.databytecounts[number])
        if len(data) < page.databytecounts[number]:
            raise EOFError("it is cut short")
        chunk, _, shape = page.decode(data, number, jpegtables=page.jpegtables)
    except Exception as error:
        what = f"tile or strip {number} cannot be decoded: {type(error).__name__}: {error}"
        raise DamagedError(f"{path}: {what}") from error
    if chunk is None:  # nothing is stored for it
        return np.full(shape[1:], page.nodata, dtype=page.dtype)
    return np.asarray(chunk[0])


def open_windowed(path: Path, reader: ImageReader) -> WindowedImage | None:
    """An image that is read by windows; None if the file must be read as a whole.

    Images of more than 16 million pixels are, if they are tiled, striped or plain TIFF files in grey, RGB or with any
    number of bands, and tifffile is installed. Files that EXIF turns, and palettes and the like, are read as a whole.

    Args:
        path: An image file.
        reader: Which bands and which range of values are read.

    Raises:
        DataError: The file is damaged, or its values do not fit the reader.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) not in MAGIC:
                return None
            file.seek(0)
            header = read_header(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if header is None or header.height * header.width <= FROM or not _is_simple(header):
        return None
    if header.orientation != UPRIGHT and reader.exif != "ignore":
        return None
    try:
        import tifffile
    except ModuleNotFoundError:
        return None
    with tifffile.TiffFile(path) as opened:
        page: Any = opened.pages[0]
        chunk = page.tilelength * page.tilewidth if page.is_tiled else page.rowsperstrip * page.imagewidth
        usable = page.dtype is not None and page.imagedepth == 1 and chunk <= LARGEST_CHUNK
    return WindowedImage(path, reader, header) if usable else None


def _is_simple(header: TiffHeader) -> bool:
    try:
        whole_bytes = header.bits == 8 * np.dtype(header.dtype).itemsize
    except TypeError:
        return False
    return whole_bytes and header.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
