"""The format of a shard: litdata's binary chunks, which its own reader reads too.

A chunk is a count n, n + 1 offsets from the start of the file (all uint32), and n samples. A sample is the sizes of its
three parts (uint32), then the image's encoded bytes, the class number (int64) and the path (UTF-8).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.errors import DataError
from foveate.datasets.files.names import safe_name, safe_path

INDEX, CLASSES, LABELS = "index.json", "classes.json", "labels.npy"
FORMAT = 1  # of our own index
CONFIG: dict[str, Any] = {
    "chunk_bytes": None,
    "chunk_size": None,
    "compression": None,
    "data_format": ["bytes", "int", "str"],
    "data_spec": json.dumps(
        [
            1,
            {
                "type": "builtins.dict",
                "context": '["image", "label", "path"]',
                "children_spec": [{"type": None, "context": None, "children_spec": []}] * 3,
            },
        ]
    ),
    "encryption": None,
    "item_loader": "PyTreeLoader",
}


@dataclass(frozen=True)
class Sample:
    """An image file, with its class number and its path in the split's folder."""

    image: bytes
    label: int
    path: str


def pack_sample(sample: Sample) -> bytes:
    """The bytes of a sample."""
    parts = (sample.image, np.int64(sample.label).tobytes(), sample.path.encode("utf-8", "surrogateescape"))
    return np.array([len(part) for part in parts], dtype=np.uint32).tobytes() + b"".join(parts)


def unpack_sample(data: bytes) -> Sample:
    """The sample in these bytes."""
    image, label, path = (int(size) for size in np.frombuffer(data, dtype=np.uint32, count=3))
    start = 3 * 4
    return Sample(
        image=data[start : start + image],
        label=int(np.frombuffer(data, dtype=np.int64, count=1, offset=start + image)[0]),
        path=data[start + image + label : start + image + label + path].decode("utf-8", "surrogateescape"),
    )


def pack_chunk(samples: Sequence[bytes]) -> bytes:
    """A chunk of packed samples."""
    head = 4 * (len(samples) + 2)
    ends = np.cumsum([head, *(len(sample) for sample in samples)])
    return b"".join([np.array([len(samples), *ends], dtype=np.uint32).tobytes(), *samples])


def describe_chunk(name: str, samples: Sequence[bytes]) -> dict[str, Any]:
    """A chunk's entry in the index."""
    size = 4 * (len(samples) + 2) + sum(map(len, samples))
    return {"filename": name, "chunk_size": len(samples), "chunk_bytes": size, "dim": None}


class ChunkReader:
    """An open chunk.

    Args:
        path: Its file.
        size: Bytes that the file has to have.
        count: Samples that it has to hold.

    Raises:
        DataError: It is truncated, or no chunk.
    """

    def __init__(self, path: Path, *, size: int, count: int) -> None:
        found = path.stat().st_size
        if found != size:
            raise DataError(f"{path}: a damaged shard: {found} bytes where {size} are expected; fetch or make it again")
        self._path = path
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        head = self._bytes[: 4 * (count + 2)].view(np.uint32)
        if head[0] != count or head[-1] != size:
            raise DataError(f"{path}: a damaged shard: its head does not fit its index; fetch or make it again")
        self._offsets = head[1:]

    def __getitem__(self, index: int) -> Sample:
        begin, end = int(self._offsets[index]), int(self._offsets[index + 1])
        sample = unpack_sample(self._bytes[begin:end].tobytes())
        safe_path(sample.path, str(self._path))
        return sample


def read_chunks(path: Path) -> list[dict[str, Any]]:
    """The chunks that an index or a note of progress lists.

    Args:
        path: The JSON file.

    Raises:
        DataError: It is missing or damaged, or names a file outside its folder.
    """
    entries = read_json(path).get("chunks")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path}: lists no chunks; fetch or make it again")
    for entry in entries:
        safe_name(entry.get("filename"), str(path))
        if not all(isinstance(entry.get(key), int) and entry[key] >= 0 for key in ("chunk_size", "chunk_bytes")):
            raise DataError(f"{path}: does not say how large {entry['filename']} is; fetch or make it again")
    return entries


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file holds.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no mapping")
    return content
