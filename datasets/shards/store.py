"""Where shards are: in a folder, or behind a URL with a cache of bounded size."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.names import safe_name
from foveate.datasets.shards.format import CLASSES

LOCAL = "local:"  # litdata's prefix of a folder that is treated like a URL
CACHE = "~/.cache/foveate/shards"


def is_url(root: str) -> bool:
    """Whether a root is behind a URL, such as s3://bucket/imagenet."""
    return "://" in root or root.startswith(LOCAL)


class FolderStore:
    """Shards in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, name: str) -> Path:
        """The file of a name.

        Args:
            name: A plain file name.

        Raises:
            DataError: There is none, or the name leads elsewhere.
        """
        path = self.folder / safe_name(name, str(self.folder))
        if not path.is_file():
            raise DataError(f"{path}: no such file; a folder of shards is made by foveate data shard SOURCE OUT")
        return path


class RemoteStore:
    """Shards behind a URL; a cache that all processes of a machine share keeps those that were used last.

    Args:
        url: Their folder, in any scheme that litdata reads: s3://, gs://, hf:// ...
        cache: Folder of the cache; other sets may share it.
        cache_bytes: Largest size of this folder's shards there; the newest shard always stays.
    """

    def __init__(self, url: str, cache: Path, cache_bytes: int) -> None:
        self.url = url.rstrip("/")
        self.folder = cache / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self.cache_bytes = cache_bytes

    def fetch(self, name: str) -> Path:
        """The file of a name, downloaded if it is not in the cache.

        Args:
            name: A plain file name.

        Raises:
            DataError: It cannot be fetched, or the name leads elsewhere.
        """
        path = self.folder / safe_name(name, self.url)
        if path.is_file() and name != CLASSES:  # always fetched: it shows whether the shards behind the URL changed
            os.utime(path)  # marks it as used last
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".part-") as part:
            fetched = Path(part) / name
            download(f"{self.url}/{name}", fetched)
            if name == CLASSES and path.is_file() and path.read_bytes() != fetched.read_bytes():
                self._clear()
            os.replace(fetched, path)
        self._make_room(path)
        return path

    def _clear(self) -> None:
        """Remove all cached files, since the shards behind the URL were made again."""
        for path in self.folder.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)

    def _make_room(self, newest: Path) -> None:
        """Remove the shards that were not used for longest; a process that has one open can read it still."""
        stats = []
        for chunk in self.folder.glob("chunk-*"):
            try:
                stats.append((chunk.stat().st_mtime_ns, chunk.stat().st_size, chunk))
            except FileNotFoundError:
                continue  # another process was faster
        total = sum(size for _, size, _ in stats)
        for _, size, chunk in sorted(stats):
            if total <= self.cache_bytes:
                break
            if chunk != newest:
                chunk.unlink(missing_ok=True)
                total -= size


def download(url: str, path: Path) -> None:
    """Fetch a file with litdata's downloader for its scheme.

    Args:
        url: The file.
        path: Where to write it.

    Raises:
        DataConfigError: litdata is not installed, or the scheme's own package.
        DataError: The file cannot be had.
    """
    try:
        from litdata.streaming.downloader import get_downloader  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataConfigError(f"{url} is read with litdata; install it: pip install 'foveate[stream]'") from error
    try:
        get_downloader(url.rpartition("/")[0], str(path.parent), []).download_file(url, str(path))
    except ImportError as error:
        raise DataConfigError(f"{url}: {error}") from error
    except Exception as error:  # each cloud has its own
        raise DataError(f"{url}: cannot be fetched: {type(error).__name__}: {error}") from error
    if not path.is_file():
        raise DataError(f"{url}: cannot be fetched: nothing came")
