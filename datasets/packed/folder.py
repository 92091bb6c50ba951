"""A folder of packed pairs: decoded once, with train ids for label maps, then read by rows.

A pair counts as packed if its file exists and was made from the image and label map as they are now. So a build that
was stopped is continued, a complete one only compares sizes and times, and changed pairs are packed again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from foveate.datasets.augment.resizing import Image, Mask
from foveate.datasets.cores import usable_cores
from foveate.datasets.errors import DamagedError, DataError
from foveate.datasets.files.kinds import image_kind
from foveate.datasets.files.locking import alone
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.writing import draft_name
from foveate.datasets.masks.reader import PairReader
from foveate.datasets.packed.file import (
    FORMAT,
    is_intact,
    open_packed,
    packed_size,
    read_header,
    write_packed,
)
from foveate.datasets.progress import bar

log = logging.getLogger(__name__)

HOME = ".foveate"  # in the data set's folder
THREADS = 8  # at most; each holds an image
Progress = Callable[[int, int], None]  # pairs done, pairs in all


def _silent(done: int, total: int) -> None: ...


class PackedFolder:
    """The packed pairs of a split.

    Args:
        root: The data set's folder; pairs are known by their paths in it, so that it may be moved as a whole.
        split: Name of the split.
        reader: Reads a pair.
        cache_dir: Folder to write to; `.foveate` in the root if not given.
        skip_damaged: Leave damaged pairs out; reading one then says what is wrong with it.
    """

    def __init__(
        self, root: Path, split: str, reader: PairReader, cache_dir: Path | None = None, *, skip_damaged: bool = False
    ) -> None:
        self.root = root
        self.skip_damaged = skip_damaged
        self.reader = reader
        place = b"" if cache_dir is None else os.fsencode(root.resolve())  # several roots may share it
        version = hashlib.sha256(bytes([FORMAT]) + reader.key + place).hexdigest()[:12]
        self.folder = (cache_dir or root / HOME) / f"packed-{split}-{version}"

    def path(self, pair: Pair) -> Path:
        """The file of a pair, whether it exists or not."""
        names = [os.path.relpath(file, self.root) for file in pair.files]
        return self.folder / f"{hashlib.sha256(os.fsencode(chr(0).join(names))).hexdigest()[:24]}.rgbm"

    def read(self, pair: Pair) -> tuple[Image, Mask]:
        """Image and train ids of a pair, as views of its file."""
        path = self.path(pair)
        if self.skip_damaged and not path.exists():
            return self.reader.read(pair)
        return open_packed(path)

    def missing(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs that are not packed, or whose files have changed since."""
        return [pair for pair in pairs if not self._is_current(pair)]

    def drop_damaged(self, pairs: Sequence[Pair], progress: Progress = _silent) -> int:
        """Remove the packed pairs whose checksum is wrong, and count them; reads all pixels.

        Args:
            pairs: All of the split.
            progress: Called after each.
        """
        dropped = 0
        for done, pair in enumerate(pairs, start=1):
            if not is_intact(self.path(pair)):
                self.path(pair).unlink(missing_ok=True)
                dropped += 1
            progress(done, len(pairs))
        return dropped

    def build(self, pairs: Sequence[Pair], progress: Progress = _silent, *, threads: int = 1) -> int:
        """Pack what is missing. One of several processes does it, and the others wait.

        Args:
            pairs: All of the split.
            progress: Called before and after each of the missing pairs, where any is packed here.
            threads: Pairs that are decoded at once.

        Returns:
            How many were packed here.

        Raises:
            DataError: A pair cannot be read, the folder cannot be written, or the disk is too small.
        """
        if not self.missing(pairs):
            return 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with alone(self.folder / ".lock"):
                if todo := self.missing(pairs):  # another process may have packed them meanwhile
                    self._sweep()
                    self._check_space(todo)
                    self._pack_all(todo, progress, threads)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be written: {error}; give --data.cache_dir DIR") from error
        return len(todo)

    def _is_current(self, pair: Pair) -> bool:
        header = read_header(self.path(pair))
        return header is not None and header.origin == origin(pair)

    def _pack_all(self, pairs: Sequence[Pair], progress: Progress, threads: int) -> None:
        with (
            warnings.catch_warnings(),
            ThreadPoolExecutor(threads) as pool,
        ):  # each thread's own would change the others'
            try:
                progress(0, len(pairs))
                for done, _ in enumerate(pool.map(self._pack, pairs), start=1):
                    progress(done, len(pairs))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _pack(self, pair: Pair) -> None:
        made_from = origin(pair)  # before reading, so that a file that changes meanwhile is packed again
        try:
            image, mask = self.reader.read(pair)
        except DamagedError:
            if self.skip_damaged:
                return
            raise
        write_packed(self.path(pair), image, mask, made_from)

    def _check_space(self, pairs: Sequence[Pair]) -> None:
        needed = sum(self._size(pair) for pair in pairs)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"{self.folder}: packing {len(pairs)} images takes {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are "
                "free; give --data.cache_dir DIR on a larger disk, or --data.cache none"
            )

    def _size(self, pair: Pair) -> int:
        """Bytes of a packed pair, from the header of its image; 0 of a file that cannot be read."""
        try:
            kind = image_kind(pair.image)
        except DamagedError:
            return 0
        return packed_size(kind.height, kind.width, kind.bands_read(self.reader.images.bands))

    def _sweep(self) -> None:
        """Remove the unfinished files of killed processes."""
        for path in self.folder.glob(f"{draft_name('*')}*"):
            path.unlink(missing_ok=True)


def build_with_progress(packed: PackedFolder, pairs: Sequence[Pair], split: str) -> int:
    """Pack what is missing of a split, with a progress bar.

    Args:
        packed: The folder.
        pairs: All of the split.
        split: Its name.

    Returns:
        How many were packed.
    """
    with bar(f"packing {split}") as advance:

        def tell(done: int, total: int) -> None:
            if not done:
                log.info("packing %d of %d %s images into %s", total, len(pairs), split, packed.folder)
            advance(done, total)

        return packed.build(pairs, tell, threads=min(THREADS, usable_cores()))


def repack_damaged(packed: PackedFolder, pairs: Sequence[Pair], split: str) -> int:
    """Check the packed pairs of a split by their checksums, with a progress bar, and pack damaged ones again.

    Args:
        packed: The folder.
        pairs: All of the split.
        split: Its name.

    Returns:
        How many were packed again.
    """
    with bar(f"checking {split}") as advance:
        packed.drop_damaged(pairs, advance)
    return build_with_progress(packed, pairs, split)


def origin(pair: Pair) -> str:
    """Size and time of change of a pair's files, as text."""
    try:
        stats = [os.stat(path) for path in pair.files]
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: no such file") from None
    return " ".join(f"{stat.st_size}@{stat.st_mtime_ns}" for stat in stats)
