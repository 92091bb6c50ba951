"""Finds images and their label maps, reports what is missing, and reads both together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveate.datasets.augment.resizing import Image, Mask
from foveate.datasets.errors import DataError
from foveate.datasets.files.reading import read_image, read_label
from foveate.datasets.labels import Table
from foveate.datasets.text import few


@dataclass(frozen=True)
class Pair:
    """An image and the label map that belongs to it."""

    image: Path
    label: Path


def pair_up(
    images: Sequence[Path], labels: Sequence[Path], key: Callable[[Path], str], *, split: str, advice: str
) -> list[Pair]:
    """Match images and label maps by key, in the order of the keys.

    Args:
        images: Image files.
        labels: Label files.
        key: What an image and its label map have in common.
        split: Name of the split, for messages.
        advice: What to do when something is missing.

    Raises:
        DataError: There are none, two files share a key, or one has no partner.
    """
    by_image, by_label = _index(images, key, split), _index(labels, key, split)
    if not by_image:
        raise DataError(f"no images in the {split} split. {advice}")
    alone = [f"{by_image[k]} has no label map" for k in sorted(by_image.keys() - by_label.keys())]
    alone += [f"{by_label[k]} has no image" for k in sorted(by_label.keys() - by_image.keys())]
    if alone:
        raise DataError(f"{len(alone)} unpaired in the {split} split: {few(alone, separator='; ')}. {advice}")
    return [Pair(by_image[k], by_label[k]) for k in sorted(by_image)]


def _index(paths: Sequence[Path], key: Callable[[Path], str], split: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if key(path) in found:
            raise DataError(f"two files for {key(path)!r} in the {split} split: {found[key(path)]} and {path}")
        found[key(path)] = path
    return found


def read_pair(pair: Pair, table: Table) -> tuple[Image, Mask]:
    """An image and its train ids, at their own size.

    Args:
        pair: The files.
        table: Stored id -> train id.

    Raises:
        DataError: A file is damaged, or their sizes differ.
    """
    image, mask = read_image(pair.image), read_label(pair.label, table)
    if image.shape[:2] != mask.shape:
        raise DataError(f"{pair.image} is {_size(image)}, but {pair.label} is {_size(mask)} (height x width)")
    return image, mask


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Image files by their ending, sorted, without hidden ones. Links are followed, loops of links are not.

    Args:
        folder: Where to look.
        recursive: Whether to look into its folders too.
    """
    candidates = folder.rglob("*") if recursive else folder.glob("*")
    return sorted(p for p in candidates if p.suffix.lower() in ENDINGS and not p.name.startswith(".") and p.is_file())


ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
