"""Folders written by `save_pretrained` of several libraries: weights, possibly in parts, and a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import few, first_line

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)
ENDINGS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt", ".pkl")


def weights_in(folder: Path) -> Path:
    """The weights file in a folder: one with a usual name, or the only one.

    Args:
        folder: The folder.

    Raises:
        CheckpointError: There is no weights file, or there are several.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    if (folder / "checkpoints").is_dir():
        raise CheckpointError(f"{folder}: a run directory; give its checkpoint: {folder / 'checkpoints' / 'best.ckpt'}")
    found = sorted(entry for entry in folder.iterdir() if entry.suffix in ENDINGS and entry.is_file())
    if len(found) == 1:
        return found[0]
    there = few(entry.name for entry in (found or sorted(folder.iterdir())))
    wanted = "several files of weights; name one of them" if found else f"no weights (looked for {few(WEIGHTS, 3)})"
    raise CheckpointError(f"{folder}: a folder with {wanted}; found: {there or 'nothing'}")


def shards_of(index: Path) -> list[Path]:
    """The files listed in an index of weights in parts; only files in the folder of the index are accepted.

    Args:
        index: A file whose name ends with .index.json.

    Raises:
        CheckpointError: The index is damaged, a part is missing, or a part is outside the folder.
    """
    try:
        parts = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: no index of weights in parts ({first_line(error)})") from error
    if not parts:
        raise CheckpointError(f"{index}: names no parts")
    for part in parts:
        if not isinstance(part, str) or Path(part).name != part or "\\" in part or part in ("", ".", ".."):
            raise CheckpointError(f"{index}: names {part!r}, which is no file beside it: refused")
        if not (index.parent / part).is_file():
            raise CheckpointError(f"{index}: the part {part} is not beside it; fetch all {len(parts)} parts")
    return [index.parent / part for part in parts]


def settings_beside(weights: Path) -> dict[str, str]:
    """Mean and standard deviation in 0-255, as JSON lists, and the network's name, from files beside the weights.

    Args:
        weights: A weights file.
    """
    found: dict[str, str] = {}
    for name in ("config.json", "preprocessor_config.json", "open_clip_config.json"):
        settings = _read_json(weights.parent / name)
        for part in (settings, settings.get("pretrained_cfg"), settings.get("preprocess_cfg")):
            if isinstance(part, dict):
                found |= _statistics(part)
        kind = settings.get("architecture") or settings.get("model_type") or settings.get("network")
        if isinstance(kind, str):
            found["architecture"] = kind
    return found


def _statistics(settings: dict[str, Any]) -> dict[str, str]:
    mean, std = (settings.get(key, settings.get(f"image_{key}")) for key in ("mean", "std"))
    if not all(isinstance(values, list) and all(isinstance(v, int | float) for v in values) for values in (mean, std)):
        return {}
    scale = 1 if "network" in settings else 255  # our own files store values for 0-255
    return {"mean": json.dumps([scale * v for v in mean or []]), "std": json.dumps([scale * v for v in std or []])}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
