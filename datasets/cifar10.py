"""CIFAR-10, from the original archive or from folders of images."""

from __future__ import annotations

import pickle
import tarfile
from functools import cached_property
from pathlib import Path
from typing import Unpack

import numpy as np

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import CLASSIFICATION_DEFAULTS, ClassificationOptions
from foveate.datasets.errors import DataError
from foveate.datasets.files.safe_pickle import load_arrays
from foveate.datasets.image_folder import FolderDataset, scored_split
from foveate.datasets.labelled_images import ArrayDataset, ClassificationDataset
from foveate.datasets.text import few

FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "val": ["test_batch"]}
LARGEST = 64_000_000  # bytes of one batch file; the real ones have 31 million
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LAYOUTS = f"expected {ARCHIVE}, {FOLDER}/, or folders train/CLASS/ and val/CLASS/ of images, in --data.root"


class Cifar10DataModule(ClassificationDataModule):
    """CIFAR-10 (Krizhevsky 2009): 10 classes, 50 000 train and 10 000 test images of 32 x 32.

    Reads `cifar-10-python.tar.gz` without unpacking it, the folder `cifar-10-batches-py/`, or folders of images
    (`train/CLASS/`, `val/CLASS/`), whichever exists. The archive has no val: its test part is used for both, as is
    usual, so scores of runs that were chosen by it are a little too high.

    Args:
        root: The folder that holds one of these, or the archive itself.
        options: The options of every classification data set; if not given, `image_size` is 32, `batch_size` 128,
            `crop` padded and `crop_ratio` null.
    """

    expected = LAYOUTS[0].upper() + LAYOUTS[1:]
    defaults = ClassificationOptions(
        **{**CLASSIFICATION_DEFAULTS, "image_size": 32, "batch_size": 128, "crop": "padded", "crop_ratio": None}
    )

    def __init__(self, root: str | None = None, **options: Unpack[ClassificationOptions]) -> None:
        super().__init__(root, **options)

    @property
    def label_set(self) -> ClassSet:
        """The ten classes, in the archive's order, which is that of their names."""
        return ClassSet(name="cifar10", names=NAMES)

    def find_images(self, split: str) -> ClassificationDataset:
        """The images of a split."""
        if self._source is None:
            folder = self.existing_root() / scored_split(split, (self.existing_root() / "test").is_dir())
            return FolderDataset(folder, NAMES)
        batches = BATCHES["train" if split == "train" else "val"]
        return read_batches(self._source, batches, f"cifar10/{split}")

    @cached_property
    def _source(self) -> Path | None:
        """The archive, or its folder; None where there are folders of images."""
        if self.root is not None and self.root.is_file():
            return self.root
        root = self.existing_root()
        for place in (root / FOLDER, root / ARCHIVE, root):
            if place.is_file() or (place / BATCHES["val"][0]).is_file():
                return place
        if (root / "train").is_dir() and (root / "val").is_dir():
            return None
        names = sorted(entry.name for entry in root.iterdir())
        raise DataError(f"{root} holds {few(names) if names else 'nothing'}; {LAYOUTS}")


def read_batches(source: Path, batches: list[str], name: str) -> ArrayDataset:
    """Images and labels of some batch files.

    Args:
        source: The archive, or the folder that was in it.
        batches: Names of batch files.
        name: Name of the data set in paths.

    Raises:
        DataError: One is missing, damaged, or holds anything but arrays.
    """
    images, labels = [], []
    for batch, data in _batch_bytes(source, batches).items():
        try:
            content = load_arrays(data)
            pixels = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
            numbers = np.asarray(content[b"labels"], dtype=np.int64).reshape(len(pixels))
        except (pickle.UnpicklingError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{source}: {batch} is no batch of CIFAR-10: {error}") from error
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(NAMES)):
            raise DataError(f"{source}: {batch} has labels outside 0-9: {numbers.min()} to {numbers.max()}")
        images.append(pixels.transpose(0, 2, 3, 1))
        labels.append(numbers)
    return ArrayDataset(np.concatenate(images), np.concatenate(labels), name)


def _batch_bytes(source: Path, batches: list[str]) -> dict[str, bytes]:
    found = _from_folder(source, batches) if source.is_dir() else _from_archive(source, batches)
    if missing := [batch for batch in batches if batch not in found]:
        raise DataError(f"{source} has no {', '.join(missing)}; {LAYOUTS}")
    return {batch: found[batch] for batch in batches}


def _from_folder(folder: Path, batches: list[str]) -> dict[str, bytes]:
    return {batch: (folder / batch).read_bytes() for batch in batches if (folder / batch).is_file()}


def _from_archive(archive: Path, batches: list[str]) -> dict[str, bytes]:
    """The batch files of the archive; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                if name not in batches or not member.isfile():
                    continue
                if member.size > LARGEST:
                    raise DataError(f"{archive}: {name} has {member.size} bytes, more than {LARGEST}")
                file = tar.extractfile(member)
                assert file is not None  # it is a file
                found[name] = file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{archive}: cannot be read as an archive: {error}") from error
    return found
