"""Finds images and their label maps, and reports what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from foveate.datasets.errors import DataError, UnpairedError
from foveate.datasets.text import few


@dataclass(frozen=True)
class Pair:
    """An image and the label map that belongs to it.

    Attributes:
        image: The image's file.
        label: The label map's file; with one file for each class, the folder or the name that they share.
        parts: The files of a label map with one file for each class.
    """

    image: Path
    label: Path
    parts: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the pair is read from."""
        return (self.image, *(self.parts or (self.label,)))


class Paths(Sequence[Path]):
    """The image files of pairs, without a list of their own.

    Args:
        pairs: Of a split.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        return Paths(self._pairs[index]) if isinstance(index, slice) else self._pairs[index].image


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
        DataError: There are none, or two files share a key.
        UnpairedError: Files have no partner.
    """
    by_image, by_label = _index(images, key, split), _index(labels, key, split)
    if not by_image:
        raise DataError(f"no images in the {split} split. {advice}")
    pairs = [Pair(by_image[k], by_label[k]) for k in sorted(by_image.keys() & by_label.keys())]
    without = [str(by_image[k]) for k in sorted(by_image.keys() - by_label.keys())]
    lonely = [str(by_label[k]) for k in sorted(by_label.keys() - by_image.keys())]
    if without or lonely:
        alone = [f"{name} has no label map" for name in without] + [f"{name} has no image" for name in lonely]
        message = f"{len(alone)} unpaired in the {split} split: {few(alone, separator='; ')}. {advice}"
        raise UnpairedError(message, without, lonely, {split: pairs})
    return pairs


def _index(paths: Sequence[Path], key: Callable[[Path], str], split: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if key(path) in found:
            raise DataError(f"two files for {key(path)!r} in the {split} split: {found[key(path)]} and {path}")
        found[key(path)] = path
    return found


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Image files by their ending, sorted, without hidden ones. Links are followed, loops of links are not.

    Args:
        folder: Where to look.
        recursive: Whether to look into its folders too.
    """
    if recursive:
        return sorted(path for path in folder.rglob("*") if _is_image(path.name) and path.is_file())
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:  # knows files from folders without asking for each
        return [folder / name for name in sorted(e.name for e in entries if _is_image(e.name) and e.is_file())]


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def stem(path: Path) -> str:
    """A file's name without its ending: the key of sets whose images and label maps share it."""
    return path.stem


# What Pillow or OpenCV read and people store images in, and arrays of NumPy.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".tga"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".npy"),
)
