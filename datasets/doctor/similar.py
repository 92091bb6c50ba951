"""Finds equal and nearly equal images among hundreds of thousands, without comparing each with each.

The thumbnail of 16 x 16 grey bytes, which is kept of every image, gives a difference hash of 64 bits: whether a part of
the image is brighter than the one to its right. Two hashes that differ in at most 3 bits are equal in one of four bands
of 16 bits, so that only images that share a band are compared, and of those only neighbours in the order of their
hashes. What is close by its hash is compared by its thumbnail.

Source:
    The difference hash is N. Krawetz's (2013). imagehash computes it too, on top of SciPy and PyWavelets; these lines
    need neither, and share the resize with the thumbnail.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

Thumbs = UInt8[np.ndarray, "N 16 16"]
Hashes = NDArray[np.uint64]
ROWS, COLUMNS = 8, 9
BAND = 16  # bits
BITS = 3  # that may differ
STEP = 2  # grey values that a part must be brighter by; the noise of compression is less
NEIGHBOURS = 32  # that each image is compared with in each band
DEVIATION = 4.0  # mean difference of two thumbnails, in grey values, after their brightness
FLAT = 4.0  # standard deviation of a thumbnail that shows nothing to compare


def difference_hashes(thumbs: Thumbs) -> Hashes:
    """A hash of 64 bits for each thumbnail.

    Args:
        thumbs: Grey bytes.
    """
    small = np.stack([cv2.resize(one, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) for one in thumbs]).astype(int)
    bits = small[:, :, :-1] > small[:, :, 1:] + STEP
    return np.packbits(bits.reshape(len(thumbs), -1), axis=1).view(np.uint64).ravel()


def near_pairs(thumbs: Thumbs, bits: int = BITS) -> NDArray[np.int64]:
    """Pairs (P, 2) of images that look alike; images without contrast are left out.

    Args:
        thumbs: Grey bytes of each image.
        bits: How many bits of two hashes may differ.
    """
    if len(thumbs) < 2:
        return np.empty((0, 2), dtype=np.int64)
    hashes = difference_hashes(thumbs)
    found = [pairs for pairs in _candidates(hashes, bits) if len(pairs)]
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return pairs[_alike(thumbs, pairs)]


def _candidates(hashes: Hashes, bits: int) -> Iterator[NDArray[np.int64]]:
    """Pairs of neighbours in each band."""
    for band in range(64 // BAND):
        part = (hashes >> np.uint64(BAND * band)) & np.uint64((1 << BAND) - 1)
        order = np.lexsort((hashes, part))
        for step in range(1, min(NEIGHBOURS, len(hashes) - 1) + 1):
            first, second = order[:-step], order[step:]
            same = part[first] == part[second]
            if not same.any():
                break
            first, second = first[same], second[same]
            near = np.bitwise_count(hashes[first] ^ hashes[second]) <= bits
            yield np.stack([first[near], second[near]], axis=1)


def _alike(thumbs: Thumbs, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs of thumbnails show the same."""
    kept = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 4096):  # so that memory does not grow with the number of pairs
        part = pairs[start : start + 4096]
        one, other = (_centred(thumbs[part[:, side]]) for side in range(2))
        shown = (one.std(axis=1) > FLAT) & (other.std(axis=1) > FLAT)
        kept[start : start + len(part)] = shown & (np.abs(one - other).mean(axis=1) <= DEVIATION)
    return kept


def _centred(thumbs: Thumbs) -> NDArray[np.float32]:
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))
