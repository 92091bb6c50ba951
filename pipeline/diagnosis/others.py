"""Plugins and Weights & Biases: what is installed and what it costs, without asking a server."""

from __future__ import annotations

import os
from pathlib import Path

from foveate.pipeline.diagnosis.findings import Section
from foveate.pipeline.diagnosis.versions import installed_version


def describe_plugins() -> Section:
    """Each plugin: what it offers, how long its import takes, and why it is left out."""
    from foveate.plugins.doctor import examine, find_clashes, find_lightning_callbacks
    from foveate.plugins.selection import ALLOWED

    section = Section("plugins")
    section.add(ALLOWED, os.environ.get(ALLOWED, "not set: all are loaded"))
    findings = examine()
    for found in findings:
        torch = ", imports torch" if found.torch else ""
        state = f"left out: {found.fault}" if found.fault else f"{len(found.records)} records"
        section.add(f"{found.distribution}: {found.point.name}", f"{state}, import {found.seconds:.2f} s{torch}")
        if found.fault and not found.fault.startswith("not imported"):
            section.problem(f"plugin {found.entry_point} of {found.distribution} is left out: {found.fault}")
    for clash in find_clashes(findings):
        section.problem(clash)
    for point in find_lightning_callbacks():
        section.add(f"callbacks of {point.value}", "Lightning adds them to every training")
    return section


def describe_wandb(folder: Path = Path("runs")) -> Section:
    """Whether W&B is installed, whether there is a key (which is not shown), and runs that were logged offline.

    Args:
        folder: Where runs are kept.
    """
    from foveate.pipeline.loggers.wandb import has_key

    section = Section("wandb")
    section.add("installed", installed_version("wandb") or "no")
    section.add("mode", os.environ.get("WANDB_MODE", "not set"))
    section.add("API key", "found" if has_key() else "none: runs are logged offline")
    offline = sorted(folder.glob("**/offline-run-*")) if folder.is_dir() else []
    section.add("offline runs", f"{len(offline)} below {folder}, upload with wandb sync" if offline else "none")
    return section
