"""Packs folders of images into shards, so that a data set that does not fit on one disk can be streamed."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.decoding import decode_image
from foveate.datasets.files.names import safe_path
from foveate.datasets.files.writing import write_whole
from foveate.datasets.image_folder import LAYOUT, FolderDataset, list_classes
from foveate.datasets.shards.format import (
    CLASSES,
    CONFIG,
    FORMAT,
    INDEX,
    LABELS,
    Sample,
    describe_chunk,
    pack_chunk,
    pack_sample,
    read_chunks,
    read_json,
)
from foveate.datasets.text import near_path

log = logging.getLogger(__name__)

PROGRESS = "progress.json"
SPLITS = ("train", "val", "test")
ORDER_SEED = 0  # of the order in shards, which mixes the classes and is the same each time
Progress = Callable[[str, int, int], None]


def write_shards(
    source: Path, out: Path, *, shard_bytes: int = 64_000_000, progress: Progress = lambda split, done, total: None
) -> dict[str, int]:
    """Pack a split, or every split of a data set. An interrupted run is continued; finished shards are kept.

    Args:
        source: A folder with train/ and val/, or one split: a folder of class folders.
        out: Where the shards go: out/train, out/val, or out itself for one split.
        shard_bytes: Size of a shard; the last is smaller.
        progress: Called with the split, the number of images that are done and their total.

    Returns:
        Number of images in each split.

    Raises:
        DataError: The source has another layout, an image is damaged, or `out` holds something else.
    """
    if shard_bytes < 1:
        raise DataConfigError(f"a shard has at least 1 byte, not {shard_bytes}")
    if out.resolve().is_relative_to(source.resolve()):
        raise DataConfigError(f"{out} is inside {source}: its shards would be taken for a class")
    if not source.is_dir():
        raise DataError(f"{source}: no such folder{near_path(source)}")
    splits = [split for split in SPLITS if (source / split).is_dir()]
    if not splits:
        return {source.name: _write_split(source, out, list_classes(source), shard_bytes, source.name, progress)}
    if "train" not in splits:
        raise DataError(f"{source} has no train/, which names the classes. {LAYOUT}")
    classes = list_classes(source / "train")
    return {s: _write_split(source / s, out / s, classes, shard_bytes, s, progress) for s in splits}


def _write_split(folder: Path, out: Path, classes: list[str], shard_bytes: int, split: str, progress: Progress) -> int:
    dataset = FolderDataset(folder, classes)
    order = np.random.default_rng(ORDER_SEED).permutation(len(dataset))
    digest = _digest(dataset, shard_bytes)
    if (out / INDEX).is_file():
        _same_source(out, digest)
        progress(split, len(order), len(order))
        return len(order)
    out.mkdir(parents=True, exist_ok=True)
    entries = _resume(out, digest, split)
    done = sum(entry["chunk_size"] for entry in entries)
    for packed in _chunks(dataset, order[done:], shard_bytes):
        name = f"chunk-0-{len(entries)}.bin"
        write_whole(out / name, pack_chunk(packed))
        entries.append(describe_chunk(name, packed))
        write_whole(out / PROGRESS, _json({"source": digest, "chunks": entries}))
        done += len(packed)
        progress(split, done, len(order))
    _finish(out, entries, dataset.labels[order], {"classes": classes, "source": digest})
    return len(order)


def _resume(out: Path, digest: str, split: str) -> list[dict[str, Any]]:
    """The shards of an interrupted run, if it was about the same images."""
    if not (out / PROGRESS).is_file():
        if any(not entry.name.startswith(".") for entry in out.iterdir()):
            raise DataError(f"{out} is not empty, and holds no shards: give an empty folder")
        write_whole(out / PROGRESS, _json({"source": digest, "chunks": []}))
        return []
    if read_json(out / PROGRESS).get("source") == digest:
        entries = read_chunks(out / PROGRESS)
        log.info("%s: continuing after %d finished shards", split, len(entries))
        return entries
    log.info("%s: the images or the shards' size changed since this was interrupted: starting again", split)
    write_whole(out / PROGRESS, _json({"source": digest, "chunks": []}))
    for chunk in out.glob("chunk-0-*.bin"):
        chunk.unlink()
    return []


def _same_source(out: Path, digest: str) -> None:
    if read_json(out / CLASSES).get("source") != digest:
        raise DataError(f"{out} holds finished shards of other images, or of another size: give another folder")


def _chunks(dataset: FolderDataset, order: np.ndarray, shard_bytes: int) -> Iterator[list[bytes]]:
    packed: list[bytes] = []
    damaged: list[str] = []
    size = 0
    for index in order:
        try:
            packed.append(_pack(dataset, int(index)))
        except DataError as error:
            damaged.append(str(error))
            continue
        size += len(packed[-1])
        if size >= shard_bytes:
            _none_damaged(damaged)
            yield packed
            packed, size = [], 0
    _none_damaged(damaged)
    if packed:
        yield packed


def _pack(dataset: FolderDataset, index: int) -> bytes:
    path = dataset.path(index)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    decode_image(data, str(path))  # a damaged image is reported now, not in the middle of training
    relative = safe_path(path.relative_to(dataset.folder).as_posix(), str(dataset.folder))
    return pack_sample(Sample(data, int(dataset.labels[index]), relative))


def _none_damaged(damaged: list[str]) -> None:
    if damaged:
        raise DataError(
            f"{len(damaged)} damaged images so far: {'; '.join(damaged[:20])}. Repair or remove them; "
            "foveate data check --dataset image_folder lists them all"
        )


def _finish(out: Path, entries: list[dict[str, Any]], labels: np.ndarray, about: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, labels.astype(np.int32))
    write_whole(out / LABELS, buffer.getvalue())
    write_whole(out / CLASSES, _json({"format": FORMAT, **about}))
    write_whole(
        out / INDEX, _json({"chunks": entries, "config": CONFIG})
    )  # last: where it exists, the shards are complete
    (out / PROGRESS).unlink(missing_ok=True)


def _digest(dataset: FolderDataset, shard_bytes: int) -> str:
    """A hash of the images' names, their classes and the shards' size."""
    digest = hashlib.sha256(json.dumps([dataset.classes, shard_bytes]).encode())
    for index in range(len(dataset)):
        digest.update(f"{dataset.labels[index]}/{dataset.names[index]}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
