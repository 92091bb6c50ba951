"""The settings of a study, stored in its folder, so that it is continued with the same ones only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text

SETTINGS = "settings.json"


def settle(folder: Path, settings: Mapping[str, Any], what: str) -> None:
    """Create a folder with its settings, or check that it holds the same.

    Args:
        folder: Of the results.
        settings: Everything that has to stay the same.
        what: What the folder holds, such as "a comparison".

    Raises:
        ConfigError: The folder holds one with other settings.
    """
    file = folder / SETTINGS
    ours = json.loads(json.dumps(settings, default=str))
    if file.is_file():
        theirs = json.loads(file.read_text(encoding="utf-8"))
        differing = [key for key in ours if ours[key] != theirs.get(key)]
        if differing:
            said = "; ".join(f"{key} {_short(theirs.get(key))} there, {_short(ours[key])} here" for key in differing)
            raise ConfigError(f"{folder} holds {what} with other settings ({said}); choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(ours, indent=2) + "\n")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else f"{text[:60]} ..."
