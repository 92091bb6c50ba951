"""Divides images into train and val where nothing says which is which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folders.joining import compile_regex, found_by
from foveate.datasets.text import few

WHOLE = 2**64
Indices = NDArray[np.int64]


def groups_of(names: Iterable[str], pattern: str | None) -> list[str]:
    """The group of each image: what a regular expression finds in its path; the path itself without one.

    Args:
        names: Paths below the root, with `/`.
        pattern: The regular expression.

    Raises:
        DataConfigError: It is no regular expression.
        DataError: It finds nothing in some of the paths.

    Example:
        >>> groups_of(["video1/7.png", "video1/8.png"], "video[0-9]+")
        ['video1', 'video1']
    """
    names = list(names)
    if pattern is None:
        return names
    compiled = compile_regex(pattern, "group")
    found = [found_by(compiled, name) for name in names]
    missed = [name for name, group in zip(names, found, strict=True) if group is None]
    if missed:
        raise DataError(f"group {pattern!r} finds nothing in {len(missed)} of {len(names)} paths: {few(missed)}")
    return [group or "" for group in found]


def share_out(groups: Sequence[str], share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Which images are val: those of groups whose hash is small. Adding or removing files never moves a group.

    Args:
        groups: The group of each image.
        share: Share of the groups that become val, about.
        seed: Another number chooses others.

    Raises:
        DataError: No group becomes val, or none stays; says which share would do.
    """
    hashes = {group: _hash(group, seed) for group in sorted(set(groups))}
    chosen = {group for group, value in hashes.items() if value < share}
    if not chosen or len(chosen) == len(hashes):
        raise DataError(_advice(sorted(hashes.values()), share, everything=bool(chosen)))
    return np.array([group in chosen for group in groups], dtype=bool)


def divide(names: Iterable[str], pattern: str | None, share: float, seed: int) -> tuple[Indices, Indices]:
    """Positions of the images of train and of val.

    Args:
        names: The images; their groups are what `pattern` finds in them.
        pattern: A regular expression; None lets each name stand for itself.
        share: Share of the groups that become val, about.
        seed: Another number chooses others.

    Raises:
        DataError: See `groups_of` and `share_out`.
    """
    is_val = share_out(groups_of(names, pattern), share, seed)
    return np.flatnonzero(~is_val), np.flatnonzero(is_val)


def check_val_share(share: float) -> float:
    """The share of train that becomes val.

    Raises:
        DataConfigError: It is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise DataConfigError(f"val_share is above 0 and below 1, not {share}")
    return share


def _advice(hashes: Sequence[float], share: float, *, everything: bool) -> str:
    """What to do where one split stays empty."""
    if len(hashes) < 2:
        return (
            f"{len(hashes)} group of images cannot be divided into train and val; give more images, another "
            "--data.group, or folders or lists named train and val"
        )
    cut = (hashes[-2] + hashes[-1]) / 2 if everything else (hashes[0] + hashes[1]) / 2
    where = "every group becomes val" if everything else "no group becomes val"
    return (
        f"there is no val split, and of {len(hashes)} groups with val_share {share} {where}; give --data.val_share "
        f"{cut:.6g}, or folders or lists named train and val"
    )


def _hash(group: str, seed: int) -> float:
    """A number from 0 to 1 that depends on group and seed only."""
    data = f"{seed}\n{group}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") / WHOLE
