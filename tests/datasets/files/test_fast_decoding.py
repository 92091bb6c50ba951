"""The quick decoder takes nothing that the strict one refuses, and gives the same pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from foveate.datasets.errors import DataError
from foveate.datasets.files import decoding as encoded
from foveate.datasets.files.decoding import decode_image
from foveate.datasets.files.fast_decoding import decode_plain

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8) // 4 * 4
SLOPE = np.repeat(np.add.outer(np.arange(48), np.arange(64))[..., None] * 2, 3, axis=2).astype(np.uint8)
MANY = 10**9


def coded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


PLAIN = {
    "png": coded(NOISE, "PNG"),
    "grey.png": coded(SLOPE[..., 0], "PNG"),
    "jpg": coded(SLOPE, "JPEG", quality=90),
    "noise.jpg": coded(NOISE, "JPEG", quality=60),
    "grey.jpg": coded(SLOPE[..., 0], "JPEG"),
}


def strictly(data: bytes) -> np.ndarray | None:
    """What Pillow makes of it; None where it refuses."""
    try:
        with encoded.opened(data, "it", MANY) as image:
            image.load()
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except DataError:
        return None


@pytest.mark.parametrize("name", PLAIN)
def test_common_files_are_decoded_to_the_same_pixels(name: str) -> None:
    pixels = decode_plain(PLAIN[name], MANY)
    assert pixels is not None
    assert pixels.shape[2] == (1 if "grey" in name else 3)
    assert np.array_equal(decode_image(PLAIN[name], name), strictly(PLAIN[name]))


@pytest.mark.parametrize("name", PLAIN)
def test_of_damaged_files_none_is_taken_that_the_strict_decoder_refuses(name: str) -> None:
    taken = 0
    for seed in range(400):
        damaged = damage(PLAIN[name], np.random.default_rng(seed))
        pixels = decode_plain(damaged, MANY)
        if pixels is not None:
            taken += 1
            expected = strictly(damaged)
            assert expected is not None, f"damage of seed {seed}"
            assert np.array_equal(np.broadcast_to(pixels, expected.shape), expected)
    assert taken < 400


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """A file cut short, with a piece missing, with another end, or with a few bytes changed."""
    begin, end = sorted(random.integers(0, len(data), 2).tolist())
    ways = [data[:end], data[:begin] + data[end:], data[:begin] + data[-12:], data[:begin] + b"\xff\xd9"]
    if (way := random.integers(8)) < 4:
        return ways[way]
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 4)):
        changed[place] = random.integers(256)
    return bytes(changed)


def test_what_may_be_turned_is_left_to_the_strict_decoder() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "JPEG"):
        turned = coded(SLOPE, kind, exif=exif)
        assert decode_plain(turned, MANY) is None
        assert decode_image(turned, kind).shape == (64, 48, 3)


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF"])
def test_other_kinds_are_left_to_the_strict_decoder(kind: str) -> None:
    assert decode_plain(coded(SLOPE, kind), MANY) is None


@pytest.mark.parametrize("name", ["png", "jpg"])
def test_too_many_pixels_are_not_begun_with(name: str) -> None:
    assert decode_plain(PLAIN[name], 48 * 64) is not None
    assert decode_plain(PLAIN[name], 48 * 64 - 1) is None
