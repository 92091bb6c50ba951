"""Weights by name: from the cache, else from their publisher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.named_weights.download import check_digits, download_file
from foveate.pipeline.named_weights.table import WEIGHTS, Published
from foveate.plugins.cache import cache_folder


def cached_file(name: str, table: Mapping[str, Published] = WEIGHTS) -> Path:
    """Where the weights of a name are kept, whether they are there or not.

    Args:
        name: A name of the table.
        table: The weights that there are.
    """
    return cache_folder() / "weights" / table[name].file


def fetch(name: str, table: Mapping[str, Published] = WEIGHTS) -> Path:
    """The file of weights, fetched if it is not in the cache, and verified as far as its checksum is known.

    Args:
        name: A name of the table.
        table: The weights that there are.

    Raises:
        CheckpointError: It cannot be fetched; or what is there, perhaps put there by hand, is another file.
    """
    published, path = table[name], cached_file(name, table)
    if path.is_file():
        check_digits(path, published.sha256)
        return path
    try:
        download_file(published.address, path, published.sha256)
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{published.address}: ")
        raise CheckpointError(f"weights {name}: {reason}; {by_hand(name, table)}") from error
    return path


def by_hand(name: str, table: Mapping[str, Published] = WEIGHTS) -> str:
    """What to do on a machine without network.

    Args:
        name: A name of the table.
        table: The weights that there are.
    """
    return f"get {table[name].address} by hand and put it at {cached_file(name, table)}, or give a file of yours"
