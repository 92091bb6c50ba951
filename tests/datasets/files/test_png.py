"""The decoder of PNGs gives what Pillow gives, and leaves what is odd or damaged to others."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DamagedError
from foveate.datasets.files.png import decode_png, native
from foveate.datasets.masks.stored import read_numbers

needs_decoder = pytest.mark.skipif(native() is None, reason="no C++ compiler, or FOVEATE_NATIVE=0")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


GREY, RGB = 0, 2


def png(filtered: bytes, height: int, width: int, kind: tuple[int, int], level: int = 6, strategy: int = 0) -> bytes:
    """A PNG (depth, colours) of rows that are filtered already; its stream is cut into several chunks."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    stream = packer.compress(filtered) + packer.flush()
    parts = [stream[start : start + 50] for start in range(0, len(stream), 50)]
    head = struct.pack(">IIBBBBB", width, height, *kind, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *(chunk(b"IDAT", part) for part in parts), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def random_png(seed: int) -> bytes:
    """Rows of any filter over bytes that are mostly zeros, as those of label maps are, or any bytes."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 80, 2))
    kind, step = (((8, GREY), 1), ((16, GREY), 2), ((8, RGB), 3))[rng.integers(3)]
    rows = rng.integers(0, rng.choice([2, 30, 256]), (height, width * step + 1))
    rows[rng.random(rows.shape) < rng.choice([0.0, 0.9, 0.99, 1.0])] = 0
    rows[:, 0] = rng.integers(0, 5, height)
    level, strategy = int(rng.choice([0, 1, 6, 9])), int(rng.choice([0, 1, 2, 3, 4]))  # 4: without own codes
    return png(rows.astype(np.uint8).tobytes(), height, width, kind, level, strategy)


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


@needs_decoder
@pytest.mark.parametrize("block", range(4))
def test_any_filter_any_compression_and_any_size_gives_what_pillow_gives(block: int) -> None:
    for seed in range(100 * block, 100 * (block + 1)):
        data = random_png(seed)
        pixels = decode_png(data)
        assert pixels is not None, seed
        assert pixels.dtype == (np.uint16 if data[24] == 16 else np.uint8)
        assert np.array_equal(pixels, by_pillow(data)), seed


@needs_decoder
def test_long_runs_and_far_copies(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 34, (8, 300), dtype=np.uint8)
    pixels = np.tile(np.kron(tile, np.ones((5, 3), np.uint8)), (8, 2))
    for level in (1, 9):
        Image.fromarray(pixels).save(tmp_path / "a.png", compress_level=level)
        assert np.array_equal(read_numbers(tmp_path / "a.png"), pixels)


@needs_decoder
def test_palette_images_give_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10), mode="L").convert("P")
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / "a.png", bits=8)
    indices = decode_png((tmp_path / "a.png").read_bytes())
    assert indices is not None
    assert np.array_equal(indices, np.asarray(image))
    assert np.array_equal(read_numbers(tmp_path / "a.png"), np.asarray(image))


@needs_decoder
@pytest.mark.parametrize("level", [1, 6, 9])
def test_codes_as_long_as_they_can_be(level: int) -> None:
    shares = 1.6 ** -np.arange(40.0)  # the rarest bytes get codes of 15 bits
    rows = np.random.default_rng(0).choice(40, size=(300, 901), p=shares / shares.sum()).astype(np.uint8)
    rows[:, 0] = np.arange(300) % 5
    data = png(rows.tobytes(), 300, 300, (8, RGB), level)
    found = decode_png(data)
    assert found is not None
    assert np.array_equal(found, by_pillow(data))


@needs_decoder
def test_more_pixels_than_allowed_are_not_begun_with() -> None:
    data = png(bytes(6 * 11), 6, 10, (8, GREY))
    assert decode_png(data, 60) is not None
    assert decode_png(data, 59) is None


@needs_decoder
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_never_decoded_to_something_else(seed: int) -> None:
    data = random_png(seed)
    pixels = by_pillow(data)
    rng = np.random.default_rng(seed)
    for place in rng.choice(len(data), min(len(data), 150), replace=False):
        harmed = bytearray(data)
        harmed[place] ^= 1 << int(rng.integers(8))
        assert decode_png(bytes(harmed)) is None or np.array_equal(decode_png(bytes(harmed)), pixels)
        assert decode_png(data[:place]) is None


@needs_decoder
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_stream_with_right_checksums_of_its_chunks_is_left_to_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    packed = bytearray(zlib.compress(bytes(rng.integers(0, 3, 40 * 41, dtype=np.uint8)), 9))
    head = struct.pack(">IIBBBBB", 40, 40, 8, 0, 0, 0, 0)
    for place in range(len(packed)):
        harmed = bytearray(packed)
        harmed[place] ^= 1 << int(rng.integers(8))
        body = [chunk(b"IHDR", head), chunk(b"IDAT", bytes(harmed)), chunk(b"IEND", b"")]
        data = b"\x89PNG\r\n\x1a\n" + b"".join(body)
        pixels = decode_png(data)
        assert pixels is None or np.array_equal(pixels, by_pillow(data))


def test_what_is_left_to_others_is_read_by_them(tmp_path: Path) -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) % 2
    Image.fromarray(pixels * 255).convert("1").save(tmp_path / "bits.png")
    Image.fromarray(np.dstack([pixels, pixels, pixels, 255 - pixels])).save(tmp_path / "rgba.png")
    Image.fromarray(pixels).save(tmp_path / "a.bmp")
    np.save(tmp_path / "a.npy", pixels)
    for name in ("bits.png", "rgba.png", "a.bmp", "a.npy"):
        assert decode_png((tmp_path / name).read_bytes()) is None
        assert np.array_equal(read_numbers(tmp_path / name), pixels), name


def test_half_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(random_png(4)[:-30])
    with pytest.raises(DamagedError, match=r"half\.png"):
        read_numbers(tmp_path / "half.png")


def test_without_the_decoder_the_same_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(random_png(8))
    found = read_numbers(tmp_path / "a.png")
    monkeypatch.setattr("foveate.datasets.files.png.native", lambda: None)
    assert np.array_equal(read_numbers(tmp_path / "a.png"), found)
