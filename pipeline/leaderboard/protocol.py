"""The protocol of a leaderboard: what is trained, on what, for how long, and within which bounds records agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe, load_yaml

CURRENT = "1"
PARTS = ("version", "seeds", "replayed", "bounds", "recipes", "tracks")
SETTINGS = ("steps", "score", "data_sha256")  # of a recipe here, beside model, data and trainer


@dataclass(frozen=True)
class Track:
    """One table of the leaderboard: a recipe whose slot every block is put into.

    Attributes:
        name: Its name, such as camvid-gate.
        folder: Name of the data set's folder, such as camvid.
        slot: The slot.
        score: What decides: mIoU or accuracy.
        steps: Optimiser steps of each training.
        data_sha256: Fingerprint of the data of the published records; empty for any data.
        recipe: The recipe, without the data's folder.
        sha256: Hash of all that decides a training here; records name it, so that a change of another track leaves
            them valid.
    """

    name: str
    folder: str
    slot: str
    score: str
    steps: int
    data_sha256: str
    recipe: Recipe
    sha256: str


@dataclass(frozen=True)
class Protocol:
    """A version of the leaderboard's rules.

    Attributes:
        version: Its number or name.
        seeds: Number of trainings of each block.
        replayed: Steps that a check takes again, unless it is told otherwise.
        loss_bound: Relative difference of losses of these steps within which two machines agree.
        score_bound: Difference of scores, in [0, 1], within which two trainings with one seed agree.
        tracks: The tables, in the order in which they are trained.
    """

    version: str
    seeds: int
    replayed: int
    loss_bound: float
    score_bound: float
    tracks: Mapping[str, Track]


def find_protocol(name: str) -> Protocol:
    """A protocol, given as a version of Foveate's own or as a file.

    Args:
        name: A number, such as 1, or the path of a YAML file.

    Raises:
        ConfigError: There is neither, or the file is no protocol.
    """
    shipped = Path(str(files("foveate.pipeline.leaderboard").joinpath(f"protocol_{name}.yaml")))
    path = shipped if name.isalnum() and shipped.is_file() else Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f"--protocol {name}: no such version or file; the current version is {CURRENT}")
    return parse_protocol(load_yaml(path), str(path))


def parse_protocol(content: Mapping[str, Any], where: str) -> Protocol:
    """The protocol that a file describes.

    Args:
        content: What the file holds.
        where: Its name, for messages.

    Raises:
        ConfigError: A part is missing or does not fit the others.
    """
    if missing := [part for part in PARTS if part not in content]:
        raise ConfigError(f"{where}: a protocol has {', '.join(PARTS)}; missing: {', '.join(missing)}")
    try:
        return Protocol(
            version=str(content["version"]),
            seeds=int(content["seeds"]),
            replayed=int(content["replayed"]),
            loss_bound=float(content["bounds"]["loss"]),
            score_bound=float(content["bounds"]["score"]),
            tracks={name: _track(name, given, content) for name, given in content["tracks"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{where}: not readable as a protocol: {type(error).__name__}: {error}") from error


def _track(name: str, given: Mapping[str, Any], content: Mapping[str, Any]) -> Track:
    folder, slot = str(given["recipe"]), str(given["slot"])
    recipe = dict(content["recipes"][folder])
    sha256 = hash_of({"version": str(content["version"]), "track": name, "slot": slot, "recipe": recipe})
    steps, score, data_sha256 = (recipe.pop(key) for key in SETTINGS)
    return Track(name, folder, slot, str(score), int(steps), str(data_sha256), recipe, sha256)


def hash_of(content: object) -> str:
    """The hash of values as JSON has them, whatever the order of their keys.

    Args:
        content: The values.

    Example:
        >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1}) != hash_of({"a": 1, "b": 3})
        True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
