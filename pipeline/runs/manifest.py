"""The manifest of a folder of checkpoints: step, size and hash of each file that was written completely.

checkpoints/manifest.json   {"last.ckpt": [{"step": 400, "size": 17034521, "sha256": "..."}, ...], ...}

The entry of a new file is written before the file takes its final name, beside that of the file it replaces. So after a
kill at any moment, the file that is there has an entry. A file without a fitting entry was damaged later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foveate.pipeline.files import write_text

MANIFEST = "manifest.json"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """What is known of a checkpoint.

    Attributes:
        step: Optimiser steps that its weights were trained for.
        size: In bytes.
        sha256: Of its content, in hexadecimal digits.
    """

    step: int
    size: int
    sha256: str


def describe_file(path: Path, step: int) -> Entry:
    """The entry of a file as it is now.

    Args:
        path: The file, which is read as a whole.
        step: Optimiser steps of its weights.

    Raises:
        OSError: It cannot be read.
    """
    return Entry(step, path.stat().st_size, hash_of(path))


def hash_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(folder: Path) -> dict[str, list[Entry]]:
    """The entries of each file, the newest first; empty if there is no manifest, or a damaged one.

    Args:
        folder: The folder of the checkpoints.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): [Entry(**entry) for entry in entries] for name, entries in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_manifest(folder: Path, entries: Mapping[str, Sequence[Entry]]) -> None:
    """Replace the manifest of a folder.

    Args:
        folder: The folder of the checkpoints.
        entries: For each file name, the newest first.

    Raises:
        OSError: It cannot be written.
    """
    plain = {name: [asdict(entry) for entry in listed] for name, listed in entries.items()}
    write_text(folder / MANIFEST, json.dumps(plain, indent=1) + "\n")


def entry_of(path: Path) -> Entry | None:
    """The entry that fits a file; None if none does: the file is damaged, or nobody wrote an entry.

    Args:
        path: The file.
    """
    entries = read_manifest(path.parent).get(path.name, [])
    size = path.stat().st_size if path.is_file() else -1
    candidates = [entry for entry in entries if entry.size == size]
    if not candidates:
        return None
    found = hash_of(path)
    return next((entry for entry in candidates if entry.sha256 == found), None)


def has_entry(path: Path) -> bool:
    """Whether the manifest says anything of a file, damaged or not.

    Args:
        path: The file.
    """
    return bool(read_manifest(path.parent).get(path.name))
