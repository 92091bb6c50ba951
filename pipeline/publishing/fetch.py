"""Fetches a published model into a folder, and checks its files and plugins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.hub import WEIGHTS_FILE
from foveate.pipeline.provenance import KEY as PROVIDERS
from foveate.pipeline.provenance import check_providers
from foveate.pipeline.publishing.bundle import CARD, CONFIG, KEY, RECIPE
from foveate.pipeline.publishing.upload import is_folder, plain_errors
from foveate.pipeline.runs.manifest import hash_of

FILES = (CONFIG, WEIGHTS_FILE, RECIPE, CARD)


def fetch(source: str, folder: Path, *, revision: str | None = None) -> dict[str, Any]:
    """Fetch a model, verify its files and check that its plugins are installed.

    Args:
        source: owner/name on the hub, or a folder, which is copied.
        folder: Where to put it.
        revision: Branch, tag or commit; the newest of `main` if None.

    Returns:
        The model's configuration.

    Raises:
        CheckpointError: There is no such model, or a file is damaged or incomplete.
        PluginError: A plugin that it needs is not installed; the files are in the folder.
        MachineError: The hub cannot be reached.
    """
    if is_folder(source):
        _copy(Path(source).expanduser(), folder)
    else:
        _download(source, folder, revision)
    config = read_config(folder)
    verify(folder, config)
    told = config.get(KEY) or {}
    check_providers({PROVIDERS: told.get("plugins") or {}})
    return config


def _copy(source: Path, folder: Path) -> None:
    if not (source / CONFIG).is_file():
        raise CheckpointError(f"{source}: no published model ({CONFIG} is missing)")
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).is_file() and source.resolve() != folder.resolve():
            shutil.copyfile(source / name, folder / name)


def _download(repository: str, folder: Path, revision: str | None) -> None:
    from huggingface_hub import snapshot_download

    with plain_errors(repository, CheckpointError):
        snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=list(FILES))


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a published model.

    Args:
        folder: Its folder.

    Raises:
        CheckpointError: There is none, or it is of another library.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: no configuration of a model: {error}") from error
    if not isinstance(content, dict) or "network" not in content:
        raise CheckpointError(f"{path}: no configuration of a model of foveate (no entry 'network')")
    return content


def verify(folder: Path, config: Mapping[str, Any]) -> None:
    """Compare the files of a model with the hashes in its configuration.

    Args:
        folder: Its folder.
        config: Its configuration; one of an earlier version has no hashes, and nothing is compared.

    Raises:
        CheckpointError: A file is missing, or is not what was published.
    """
    listed = (config.get(KEY) or {}).get("files") or {}
    for name, entry in listed.items():
        if PurePath(name).name != name or PureWindowsPath(name).name != name or not isinstance(entry, Mapping):
            raise CheckpointError(f"{folder / CONFIG}: lists {name!r}, which is no file beside it: refused")
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{file}: is missing; pull again")
        if file.stat().st_size != entry.get("size") or hash_of(file) != entry.get("sha256"):
            raise CheckpointError(f"{file}: damaged: not what was published (SHA-256 differs); pull again")
    if not (folder / WEIGHTS_FILE).is_file():
        raise CheckpointError(f"{folder}: holds no {WEIGHTS_FILE}; pull again")
