"""The decoder of label PNGs gives what Pillow gives, and leaves what is odd or damaged to others."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DamagedError
from foveate.datasets.masks.stored import read_numbers
from foveate.pipeline.scoring.label_png import decode_numbers, read_label
from foveate.pipeline.scoring.native import native

needs_decoder = pytest.mark.skipif(native() is None, reason="no C++ compiler, or FOVEATE_NATIVE=0")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(filtered: bytes, height: int, width: int, depth: int, level: int = 6, strategy: int = 0) -> bytes:
    """A grey PNG of rows that are filtered already; its stream is cut into several chunks."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    stream = packer.compress(filtered) + packer.flush()
    parts = [stream[start : start + 50] for start in range(0, len(stream), 50)]
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *(chunk(b"IDAT", part) for part in parts), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def random_png(seed: int) -> bytes:
    """Rows of any filter over bytes that are mostly zeros, as those of label maps are, or any bytes."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 80, 2))
    depth = int(rng.choice([8, 16]))
    rows = rng.integers(0, 256, (height, width * depth // 8 + 1))
    rows[rng.random(rows.shape) < rng.choice([0.0, 0.9, 0.99, 1.0])] = 0
    rows[:, 0] = rng.integers(0, 5, height)
    level, strategy = int(rng.choice([0, 1, 6, 9])), int(rng.choice([0, 1, 2, 3, 4]))  # 4: without own codes
    return png(rows.astype(np.uint8).tobytes(), height, width, depth, level, strategy)


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


@needs_decoder
@pytest.mark.parametrize("block", range(4))
def test_any_filter_any_compression_and_any_size_gives_what_pillow_gives(block: int) -> None:
    for seed in range(100 * block, 100 * (block + 1)):
        data = random_png(seed)
        pixels = decode_numbers(data)
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
        assert np.array_equal(read_label(tmp_path / "a.png"), pixels)


@needs_decoder
def test_palette_images_give_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10), mode="L").convert("P")
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / "a.png", bits=8)
    assert decode_numbers((tmp_path / "a.png").read_bytes()) is not None
    assert np.array_equal(read_label(tmp_path / "a.png"), read_numbers(tmp_path / "a.png"))


@needs_decoder
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_never_decoded_to_something_else(seed: int) -> None:
    data = random_png(seed)
    pixels = by_pillow(data)
    rng = np.random.default_rng(seed)
    for place in rng.choice(len(data), min(len(data), 150), replace=False):
        harmed = bytearray(data)
        harmed[place] ^= 1 << int(rng.integers(8))
        assert decode_numbers(bytes(harmed)) is None or np.array_equal(decode_numbers(bytes(harmed)), pixels)
        assert decode_numbers(data[:place]) is None


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
        pixels = decode_numbers(data)
        assert pixels is None or np.array_equal(pixels, by_pillow(data))


def test_what_is_left_to_others_is_read_by_them(tmp_path: Path) -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) % 2
    Image.fromarray(pixels * 255).convert("1").save(tmp_path / "bits.png")
    Image.fromarray(np.repeat(pixels[..., None], 3, 2)).save(tmp_path / "rgb.png")
    Image.fromarray(pixels).save(tmp_path / "a.bmp")
    np.save(tmp_path / "a.npy", pixels)
    for name in ("bits.png", "rgb.png", "a.bmp", "a.npy"):
        assert decode_numbers((tmp_path / name).read_bytes()) is None
        assert np.array_equal(read_label(tmp_path / name), pixels), name


def test_half_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(random_png(4)[:-30])
    with pytest.raises(DamagedError, match=r"half\.png"):
        read_label(tmp_path / "half.png")


def test_without_the_decoder_the_same_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(random_png(8))
    found = read_label(tmp_path / "a.png")
    monkeypatch.setattr("foveate.pipeline.scoring.label_png.native", lambda: None)
    assert np.array_equal(read_label(tmp_path / "a.png"), found)
