"""Remembers which installed plugins load and what they offer, so that a second command need not import them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import EntryPoint
from pathlib import Path

from foveate.plugins.cache import cache_folder
from foveate.plugins.hookspecs import HOOKS
from foveate.plugins.records import API_VERSION
from foveate.plugins.stored import names_in
from foveate.plugins.trial import Verdict, attempt, longest_import

FOLDER = "FOVEATE_PLUGIN_CACHE"  # environment variable: another folder for verdicts, or `none`
CODE = (".py", ".so", ".pyd")
MOST_FILES = 5000  # of a package, whose times are compared


def judge(point: EntryPoint) -> Verdict:
    """The verdict on a plugin: the remembered one if its files are the same, else that of an import in a child process.

    Only good verdicts are remembered, since what hangs or fails may have been repaired.

    Args:
        point: Its entry point.
    """
    stamp = _stamp(point)
    known, verdict = _read(point)
    if verdict is not None and stamp and known == stamp:
        return verdict
    verdict = attempt(point, longest_import())
    if not verdict.fault and stamp:
        _write(point, stamp, verdict)
    return verdict


def offered_before(point: EntryPoint) -> list[tuple[str, str]]:
    """Noun and name of the records that a plugin offered when it last loaded, in whatever version.

    Args:
        point: Its entry point.
    """
    _, verdict = _read(point)
    return names_in(verdict.records) if verdict else []


def _read(point: EntryPoint) -> tuple[str, Verdict | None]:
    """The stamp and verdict in a plugin's file."""
    path = _file(point)
    if path is not None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(path.read_text(encoding="utf-8"))
            return content["stamp"], Verdict(**content["verdict"])
    return "", None


def _write(point: EntryPoint, stamp: str, verdict: Verdict) -> None:
    path = _file(point)
    if path is None:
        return
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp-{os.getpid()}")
        draft.write_text(json.dumps({"stamp": stamp, "verdict": asdict(verdict)}), encoding="utf-8")
        draft.replace(path)


def _file(point: EntryPoint) -> Path | None:
    """The file of a plugin in this environment; None if there is no cache."""
    given = os.environ.get(FOLDER)
    if given == "none":
        return None
    try:
        folder = Path(given) if given else cache_folder() / "plugins"
    except RuntimeError:  # the user has no home folder
        return None
    owner = point.dist.name if point.dist else ""
    return folder / f"{_digest(sys.prefix, owner, point.name, point.value)}.json"


def _stamp(point: EntryPoint) -> str:
    """A hash of the versions, and of the sizes and times of the files of the plugin's package; empty if not found."""
    version = point.dist.version if point.dist else ""
    files = list(_code_of(point.value.partition(":")[0].strip()))
    if not files or len(files) > MOST_FILES:
        return ""
    return _digest(version, sys.version, str(API_VERSION), *HOOKS, *files)


def _code_of(module: str) -> Iterator[str]:
    """Name, size and time of each file of a module's outermost package, which is not imported."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):
        return
    if spec is None:
        return
    for folder in spec.submodule_search_locations or ():
        yield from _walk(folder)
    if spec.origin and not spec.submodule_search_locations and os.path.isfile(spec.origin):
        yield _mark(spec.origin, os.stat(spec.origin))


def _walk(folder: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                yield from _walk(entry.path)
            elif entry.name.endswith(CODE):
                yield _mark(entry.path, entry.stat())


def _mark(path: str, status: os.stat_result) -> str:
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
