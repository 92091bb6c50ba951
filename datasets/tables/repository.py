"""Downloads a data set from the Hugging Face Hub, or finds it in a folder. Only data is fetched, and no code is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.tables.listed_images import find_lists
from foveate.datasets.tables.splits import list_tables

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
DESCRIPTIONS = ("README.md", "classes.yaml", "id2label.json", "*state.json")
TABLES = ("*.parquet", "*.arrow")
LISTED = ("*metadata.jsonl", "*metadata.csv")
IMAGES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp")
CONVERTED = "refs/convert/parquet"  # where the Hub keeps data sets of other forms as Parquet


@dataclass(frozen=True)
class Source:
    """Where a data set lies.

    Attributes:
        folder: Its folder on this machine.
        name: Its name without its owner, or that of the folder.
        commit: The version that was downloaded; empty for a folder of the user's own.
    """

    folder: Path
    name: str
    commit: str = ""


def find_source(root: Path, revision: str | None) -> Source:
    """The folder of a data set, which is downloaded if it is named OWNER/NAME and there is no such folder.

    Args:
        root: A folder, or a data set's name on the Hub.
        revision: A branch, tag or commit of it; main if not given.

    Raises:
        DataError: There is no such folder or data set, it cannot be reached, or it holds no data that can be read.
    """
    name = root.as_posix()
    if root.is_dir():
        return Source(root, root.resolve().name)
    if not NAME.fullmatch(name):
        raise DataError(f"{root}: no such folder (--data.root); a data set on the Hugging Face Hub is named OWNER/NAME")
    folder = _download(name, revision, [*DESCRIPTIONS, *TABLES])
    if not list_tables(folder):
        folder = _download(name, revision, [*DESCRIPTIONS, *LISTED, *(f"*.{e}" for e in IMAGES + _upper(IMAGES))])
        if not find_lists(folder) and not any(path.is_dir() for path in folder.iterdir()):
            raise DataError(
                f"{name} on the Hugging Face Hub holds no Parquet or Arrow files and no folders of images; the Hub may "
                f"have a converted copy: --data.revision {CONVERTED}"
            )
    return Source(folder, root.name, folder.name if COMMIT.fullmatch(folder.name) else "")


def _upper(endings: Sequence[str]) -> tuple[str, ...]:
    return tuple(ending.upper() for ending in endings)


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
    """The folder of a snapshot; what was downloaded before is not downloaded again."""
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = huggingface_hub.snapshot_download(
            name, repo_type="dataset", revision=revision, allow_patterns=patterns
        )
    except errors.GatedRepoError as error:
        raise DataError(
            f"{name}: its owners ask to accept their terms: do so on https://huggingface.co/datasets/{name}, and set "
            "HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(f"{name} on the Hugging Face Hub has no revision {revision!r} (--data.revision)") from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"{name}: neither a folder nor a data set on the Hugging Face Hub (--data.root); a private one needs "
            "HF_TOKEN"
        ) from error
    except Exception as error:  # no connection; the libraries below raise errors of their own
        raise DataError(
            f"{name}: no such folder, and the Hugging Face Hub cannot be reached ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); without a network, give --data.root the folder of a copy"
        ) from error
    return Path(folder)
