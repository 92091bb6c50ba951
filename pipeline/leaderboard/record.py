"""Records of a leaderboard: one JSON file for each training, which shows how its figures came about.

A record holds the confusion matrix of the val split and counts of each image, from which everybody can compute scores,
intervals and differences to other blocks; the first losses, which a check computes again; hashes of protocol, data and
code; and a digest of all that.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.files import write_text
from foveate.pipeline.leaderboard.protocol import hash_of

FORMAT = 1
DIGEST = "digest"
LARGEST = 1_000_000  # bytes of a record; they come from anybody
NUMBERS = 50_000_000  # bytes of counts after unpacking
PUBLISHED = "records"  # folder of the records that come with Foveate
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """One training: a block in a slot, with a seed.

    Attributes:
        content: What the file holds; its parts are described in docs/leaderboard.md.
        source: Where it was read; empty for one that was not written yet.
    """

    content: Mapping[str, Any]
    source: str = ""

    @property
    def track(self) -> str:
        """The table it belongs to."""
        return str(self.content["track"])

    @property
    def block(self) -> str:
        """The block with its options, as tables show it."""
        return str(self.content["block"]["label"])

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return int(self.content["seed"])

    @property
    def score(self) -> float:
        """The score, in [0, 1]."""
        return float(self.content["result"]["score"])

    @property
    def losses(self) -> list[float]:
        """The losses of the first steps; NaN for one that was not finite."""
        return [float("nan") if one is None else float(one) for one in self.content["training"]["losses"]]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Labels in rows, predictions in columns: pixels or images of val."""
        return np.array(self.content["result"]["confusion"], dtype=np.int64)

    @property
    def counts(self) -> Counts:
        """Counts of each image: correct, labelled and predicted, of each class (images, 3 K)."""
        result = self.content["result"]
        return unpack(result["images"], 3 * len(result["classes"]))


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest, which shows accidental and careless changes; it is no signature.

    Args:
        content: All parts of a record.
    """
    bare = {name: value for name, value in content.items() if name != DIGEST}
    return {**bare, DIGEST: hash_of(bare)}


def pack(counts: Counts) -> str:
    """Counts of images as text, compressed.

    Args:
        counts: One row per image.

    Example:
        >>> unpack(pack(np.array([[1.0, 2.0], [70000.0, 0.0]])), 2).tolist()
        [[1.0, 2.0], [70000.0, 0.0]]
    """
    planes = counts.astype("<u4").T.copy().view(np.uint8).reshape(-1, 4).T  # bytes of one significance together
    return base64.b85encode(zlib.compress(planes.tobytes(), 9)).decode()


def unpack(text: str, columns: int) -> Counts:
    """The counts that `pack` packed.

    Args:
        text: The text.
        columns: Number of columns.

    Raises:
        ValueError: It is no such text.
    """
    try:
        opened = zlib.decompressobj()
        raw = opened.decompress(base64.b85decode(text), NUMBERS)
    except zlib.error as error:
        raise ValueError(f"counts of images are not readable: {error}") from error
    if not opened.eof or len(raw) % (4 * columns):
        raise ValueError("counts of images are not readable: wrong length")
    values = np.frombuffer(raw, dtype=np.uint8).reshape(4, -1).T.copy().view("<u4")
    return values.reshape(columns, -1).T.astype(np.float64)


def file_of(folder: Path, track: str, block: str, seed: int) -> Path:
    """Where the record of a training lies.

    Args:
        folder: Of all records.
        track: The table.
        block: The block as a file name.
        seed: The seed.
    """
    return folder / track / f"{block}-{seed}.json"


def write_record(path: Path, content: Mapping[str, Any]) -> Record:
    """Write a record with its digest; the file appears once it is complete.

    Args:
        path: The file.
        content: All parts.
    """
    sealed = seal(content)
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in sealed.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return Record(sealed, str(path))


def read_record(path: Path) -> Record:
    """A record as it is in its file; nothing in it is checked but that it is one.

    Args:
        path: The file.

    Raises:
        CheckpointError: There is no such file, or it is no record.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CheckpointError(f"{path}: {path.stat().st_size} bytes are too many for a record")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable as a record: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: no record of a leaderboard (format {FORMAT})")
    return Record(content, str(path))


def read_records(folders: Iterable[Path]) -> list[Record]:
    """The records of some folders, in the order of their names; of two of one training, that of the later folder.

    Args:
        folders: Folders of records; one that does not exist has none.

    Raises:
        CheckpointError: A file is no record.
    """
    found = {}
    for folder in folders:
        for path in sorted(folder.glob("*/*.json")):
            found[path.parent.name, path.name] = read_record(path)
    return list(found.values())


def published() -> Path:
    """The folder of the records that come with Foveate."""
    return Path(str(files("foveate.pipeline.leaderboard").joinpath(PUBLISHED)))
