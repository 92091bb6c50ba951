"""The files of a published model: weights, configuration, recipe and model card."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.hub import WEIGHTS_FILE
from foveate.pipeline.publishing.card import write_card
from foveate.pipeline.publishing.facts import Facts
from foveate.pipeline.publishing.redaction import redact
from foveate.pipeline.runs.manifest import hash_of

CONFIG, CARD, RECIPE = "config.json", "README.md", "recipe.yaml"
KEY = "foveate"  # entry of config.json with what is not an argument of the model
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def write_bundle(facts: Facts, folder: Path, name: str, *, licence: str | None = None) -> list[Path]:
    """Write the files of a model into a folder; each is replaced as a whole.

    Args:
        facts: What is known of the model.
        folder: Created if it does not exist.
        name: What the model card calls the model: owner/name, or the folder.
        licence: An SPDX identifier such as apache-2.0.

    Returns:
        The files.

    Raises:
        ConfigError: The folder holds another model's config.json, or the licence is no identifier.
        OSError: The files cannot be written.
    """
    stated = _checked_licence(licence)
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".foveate-", dir=folder) as temporary:
        draft = Path(temporary) / "model"
        facts.model.save_pretrained(draft)
        (draft / WEIGHTS_FILE).chmod((draft / CONFIG).stat().st_mode)  # safetensors lets nobody else read it
        write_text(draft / RECIPE, yaml.safe_dump(dict(facts.recipe), sort_keys=False, allow_unicode=True))
        write_text(draft / CARD, write_card(facts, name, stated))
        write_text(draft / CONFIG, json.dumps(_config(facts, draft, stated), indent=2, sort_keys=True) + "\n")
        # the configuration last: as long as it is the old one, the new weights do not fit its hash
        for file in (WEIGHTS_FILE, RECIPE, CARD, CONFIG):
            (draft / file).replace(folder / file)
    return [folder / file for file in (WEIGHTS_FILE, CONFIG, RECIPE, CARD)]


def _config(facts: Facts, draft: Path, licence: str | None) -> dict[str, Any]:
    """The model's arguments, and what is needed to check the files and to install the plugins."""
    given: dict[str, Any] = json.loads((draft / CONFIG).read_text(encoding="utf-8"))
    arguments = redact(given)
    for part, name in ((arguments, "classes"), (_labels(arguments), "names")):  # which may look like paths
        if name in part:
            part[name] = given["classes"]
    files = [draft / name for name in (WEIGHTS_FILE, RECIPE)]
    hashed = {file.name: {"sha256": hash_of(file), "size": file.stat().st_size} for file in files}
    told = {
        "version": facts.version,
        "step": facts.step,
        "licence": licence,
        "plugins": facts.providers,
        "files": hashed,
    }
    return {**arguments, KEY: told}


def _labels(arguments: dict[str, Any]) -> dict[str, Any]:
    labels: Any = (arguments.get("evaluation") or {}).get("labels")
    return labels if isinstance(labels, dict) else {}


def _checked_licence(licence: str | None) -> str | None:
    if licence is None:
        return None
    name = licence.strip().lower()
    if not LICENCE.fullmatch(name):
        raise ConfigError(f"--licence {licence!r}: not an identifier; such as apache-2.0, mit, cc-by-4.0 or other")
    return name


def _refuse_foreign(folder: Path) -> None:
    """Do not overwrite what is not a model of ours."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; give a folder")
    config = folder / CONFIG
    if not config.is_file():
        return
    try:
        ours = "network" in json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        raise ConfigError(f"{folder}: holds the config.json of something else; give another folder")
