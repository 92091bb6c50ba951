"""What decides the numbers of a training besides its recipe: code, plugins, kernels, libraries, processor, data.

runs/NAME/0001/run.json   as found when the training began
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from foveate.datasets.fingerprint import take_fingerprint
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.recipes import Recipe
from foveate.plugins.ops.native.compiled import kernels

FILE = "run.json"
LIBRARIES = ("torch", "lightning", "numpy", "torchvision", "timm", "segmentation-models-pytorch", "albumentations")
OURS = ("foveate.pipeline", "foveate.plugins", "foveate.datasets")
KNOWN = {
    "foveate",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "timm",
    "segmentation_models_pytorch",
    "builtins",
}
HARDWARE = ("processor", "instructions")  # where these differ, last bits may differ too
Circumstances = dict[str, Any]


def describe_circumstances(
    recipe: Recipe, *, modules: Sequence[ModuleType], data: Any, processes: int
) -> Circumstances:
    """What decides the numbers of a training here and now.

    Args:
        recipe: The recipe, with all defaults filled in.
        modules: Modules of plugins and of what --plugins named.
        data: The data module, after `setup`.
        processes: How many processes train.
    """
    return {
        "recipe": recipe,
        "processes": processes,
        "code": hash_of_sources(importlib.import_module(name) for name in OURS),
        "plugins": {module.__name__: hash_of_sources([module]) for module in modules},
        "data": _fingerprint(data),
        "kernels": "compiled" if kernels() is not None else "those of PyTorch",
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def add_part(run: Path, found: Circumstances, first_step: int) -> None:
    """Write what decides the numbers of a training from a step on; a training that goes on may have other settings.

    Args:
        run: The run directory.
        found: See `describe_circumstances`.
        first_step: Optimiser steps before.
    """
    before = [part for part in read_parts(run) if int(part.get("first_step", 0)) < first_step]
    parts = [*before, {"first_step": first_step, **found}]
    write_text(run / FILE, json.dumps({"parts": parts}, indent=1, default=str) + "\n")


def read_parts(run: Path) -> list[Circumstances]:
    """The parts of a training, each with the step it begins at; none if there is no such file, or a damaged one.

    Args:
        run: The run directory.
    """
    try:
        found = json.loads((run / FILE).read_text(encoding="utf-8"))
        return [part for part in found["parts"] if isinstance(part, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs between two descriptions, by dotted names.

    Args:
        before: Of the training.
        now: Of this machine.
        prefix: What names begin with.

    Example:
        >>> differences({"threads": 2, "libraries": {"torch": "2.14"}}, {"threads": 2, "libraries": {"torch": "2.15"}})
        {'libraries.torch': ('2.14', '2.15')}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name in sorted({*before, *now}):
        one, other = before.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found |= differences(one, other, f"{prefix}{name}.")
        elif json.loads(json.dumps(one, default=str)) != json.loads(json.dumps(other, default=str)):
            found[f"{prefix}{name}"] = (one, other)
    return found


def hash_of_sources(modules: Iterable[ModuleType]) -> str:
    """A hash of the Python and C++ files of modules, packages with all their files.

    Args:
        modules: The modules.
    """
    digest = hashlib.sha256()
    for module in modules:
        for path in _sources(module):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(module: ModuleType) -> list[Path]:
    folders = [Path(folder) for folder in getattr(module, "__path__", [])]
    if folders:
        return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".cpp", ".h"))
    file = getattr(module, "__file__", None)
    return [Path(file)] if file and Path(file).is_file() else []


def foreign_modules(parts: Iterable[object]) -> list[ModuleType]:
    """The top-level modules that parts of a training come from, without ours and the libraries'.

    Args:
        parts: Modules of the network, the data module, callbacks.
    """
    names = {type(part).__module__.partition(".")[0] for part in parts} - KNOWN
    return [sys.modules[name] for name in sorted(names) if name in sys.modules]


def _fingerprint(data: Any) -> str:
    """The hash of names and sizes of a data module's files."""
    try:
        return take_fingerprint(data).sha256
    except Exception as error:  # in the code of somebody else, for whose data this must not end a training
        return f"unknown: {type(error).__name__}"


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:  # not installed, or without metadata
        return "none"


def _processor() -> str:
    """The processor's name, such as AMD EPYC 7763."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or os.uname().machine
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
