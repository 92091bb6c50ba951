"""Images in shards, in a folder or behind a URL, for data sets that do not fit on one disk."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from jaxtyping import UInt8

from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.classification_options import ClassificationOptions
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.decoding import decode_image
from foveate.datasets.files.names import safe_name
from foveate.datasets.labelled_images import ClassificationDataset
from foveate.datasets.loading.data_module import at_least_one
from foveate.datasets.loading.train_order import Draw, Indices
from foveate.datasets.shards.format import CLASSES, FORMAT, INDEX, LABELS, ChunkReader, Sample, read_chunks, read_json
from foveate.datasets.shards.store import CACHE, FolderStore, RemoteStore, is_url

log = logging.getLogger(__name__)

Store = FolderStore | RemoteStore
OPEN = 32  # shards that a process keeps open
TRIES = 5


class ShardDataset(ClassificationDataset):
    """The images of a split's shards, in any order; reading neighbours one after the other is fast.

    Args:
        store: Where the shards are.
        name: The split's name, for paths.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        about = read_json(store.fetch(CLASSES))
        if about.get("format") != FORMAT:
            raise DataError(f"{name}: shards of format {about.get('format')}; this version reads {FORMAT}")
        self.classes = tuple(safe_name(one, f"{name}/{CLASSES}") for one in about["classes"])
        self.entries = read_chunks(store.fetch(INDEX))
        self.ends = np.cumsum([entry["chunk_size"] for entry in self.entries], dtype=np.int64)
        self.labels = np.load(store.fetch(LABELS), allow_pickle=False).astype(np.int64)
        if len(self.labels) != (self.ends[-1] if len(self.ends) else 0):
            raise DataError(f"{name}: {LABELS} and {INDEX} differ in number; fetch or make them again")
        self._open: OrderedDict[int, ChunkReader] = OrderedDict()

    def read(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """Decode an image."""
        sample = self.sample(index)
        return decode_image(sample.image, f"{self.name}/{sample.path}")

    def where(self, index: int) -> str:
        """Split, class and file name, as it was before packing."""
        return f"{self.name}/{self.sample(index).path}"

    def sample(self, index: int) -> Sample:
        """An image as it was packed."""
        number = int(np.searchsorted(self.ends, index, side="right"))
        return self._chunk(number)[index - int(self.ends[number]) + int(self.entries[number]["chunk_size"])]

    def _chunk(self, number: int) -> ChunkReader:
        if number not in self._open:
            self._open[number] = self._reader(self.entries[number])
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]

    def _reader(self, entry: dict[str, Any]) -> ChunkReader:
        for _ in range(TRIES):
            path = self.store.fetch(entry["filename"])
            try:
                return ChunkReader(path, size=entry["chunk_bytes"], count=entry["chunk_size"])
            except FileNotFoundError:
                continue  # another process removed it to make room in the cache
        raise DataError(f"{path}: removed {TRIES} times before it could be read; allow more with --data.cache_gb")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}  # each process opens its own


def shuffle_shards(ends: Indices, window: int) -> Draw:
    """Every index once: shards in random order, and samples mixed within a few neighbours in that order.

    A process that takes one stretch of the order reads each of its shards once, and has few open at a time.

    Args:
        ends: Number of samples up to the end of each shard.
        window: Shards that are mixed with one another.
    """

    def draw(seed: int, epoch: int) -> Indices:
        random = np.random.default_rng([seed, epoch])
        starts = np.concatenate([[0], ends[:-1]])
        shards = random.permutation(len(ends))
        parts = []
        for first in range(0, len(shards), window):
            mixed = np.concatenate([np.arange(starts[s], ends[s]) for s in shards[first : first + window]])
            parts.append(random.permutation(mixed))
        return np.concatenate(parts).astype(np.int64)

    return draw


class StreamingDataModule(ClassificationDataModule):
    """Images in shards that `foveate data shard` made: `train/`, `val/` and maybe `test/`, each with its index.

    Each process reads its own part of the shards. Shards behind a URL are fetched when they are needed; the cache keeps
    those that were used last.

    Args:
        root: The folder of the shards, or its URL: s3://bucket/imagenet, gs://, hf:// or any other that litdata reads.
        window: Shards whose images are mixed with one another.
        cache: Folder for shards from a URL; ~/.cache/foveate/shards if not given.
        cache_gb: Largest size of each split's cache, in gigabytes (10^9 bytes).
        options: The options of every classification data set.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        window: int = 8,
        cache: str | None = None,
        cache_gb: float = 50.0,
        **options: Unpack[ClassificationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.url = root if root is not None and is_url(root) else None
        self.window = at_least_one("window", window)
        self.cache = Path(cache or CACHE).expanduser()
        if cache_gb <= 0:
            raise DataConfigError(f"cache_gb is above 0, not {cache_gb}")
        self.cache_bytes = int(cache_gb * 1e9)
        if self.url and self.sampling == "balanced":
            raise DataConfigError(
                "balanced sampling jumps between all shards: give a root on disk, or natural sampling"
            )
        self._train: ShardDataset | None = None

    @property
    def label_set(self) -> ClassSet:
        """The classes, as they were named when the shards were made."""
        return ClassSet(name=self._name(), names=self._training_set().classes)

    def find_images(self, split: str) -> ShardDataset:
        """The images of a split; of val where there is no test."""
        if split == "train":
            return self._training_set()
        dataset = self._test_set() if split == "test" else self._split("val")
        if dataset.classes != self._training_set().classes:
            raise DataError(f"{split} has other classes than train; make both by one: foveate data shard SOURCE OUT")
        return dataset

    def draw(self, dataset: ClassificationDataset) -> Draw:
        """How an epoch's order is drawn: a few shards at a time."""
        if self.sampling == "balanced" or not isinstance(dataset, ShardDataset):
            return super().draw(dataset)
        return shuffle_shards(dataset.ends, self.window)

    def _training_set(self) -> ShardDataset:
        if self._train is None:
            self._train = self._split("train")
        return self._train

    def _test_set(self) -> ShardDataset:
        try:
            return self._split("test")
        except DataError:
            log.info("There is no test split: the figures below are of val.")
            return self._split("val")

    def _split(self, split: str) -> ShardDataset:
        if self.url:
            return ShardDataset(RemoteStore(f"{self.url}/{split}", self.cache, self.cache_bytes), split)
        return ShardDataset(FolderStore(self.existing_root() / split), split)

    def _name(self) -> str:
        return self.url.rstrip("/").rpartition("/")[2] if self.url else self.existing_root().resolve().name
