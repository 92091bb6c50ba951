"""Label Studio's run lengths: a stream of bits that holds the bytes of a picture, of which one channel counts.

Format: "rle-pack" of the thi.ng/umbrella project, as Label Studio documents it for brush labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataError

CHANNELS = 4  # red, green, blue and alpha, the last of which is the mask


class Bits:
    """Reads whole numbers of any number of bits from bytes, highest bit first.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, count: int) -> int:
        """The next number.

        Args:
            count: How many bits it has.

        Raises:
            EOFError: There are fewer left.
        """
        end = self._place + count
        if end > 8 * len(self._data):
            raise EOFError
        window = int.from_bytes(self._data[self._place // 8 : (end + 7) // 8], "big")
        self._place = end
        return window >> (-end % 8) & (1 << count) - 1


def decode_brush(values: Sequence[int], height: int, width: int, where: str) -> NDArray[np.bool_]:
    """The mask (height, width) of a brush stroke.

    Args:
        values: Bytes under `rle` in the export.
        height: Of the image.
        width: Of the image.
        where: The file and entry, for the message.

    Raises:
        DataError: They are damaged, or hold a mask of another size.
    """
    try:
        alpha = _unpack(bytes(values), CHANNELS * height * width)[CHANNELS - 1 :: CHANNELS]
    except (EOFError, TypeError, ValueError) as error:
        raise DataError(f"{where}: damaged run lengths of a brush: {error or 'they end too early'}") from None
    return alpha.reshape(height, width) > 0


def _unpack(data: bytes, expected: int) -> NDArray[np.uint8]:
    bits = Bits(data)
    total, word = bits.read(32), bits.read(5) + 1
    if total != expected or word != 8:
        raise ValueError(f"they hold {total} values of {word} bits; {expected} of 8 are expected")
    sizes = [bits.read(4) + 1 for _ in range(4)]
    parts: list[bytes] = []
    done = 0
    while done < total:
        repeats, length = bits.read(1), bits.read(sizes[bits.read(2)]) + 1
        parts.append(bytes([bits.read(8)]) * length if repeats else bits.read(8 * length).to_bytes(length, "big"))
        done += length
    return np.frombuffer(b"".join(parts), dtype=np.uint8)[:total]
