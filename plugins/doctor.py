"""Finds faults of installed plugins; each is imported in a child process, so that none affects another."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from foveate.plugins.manager import GROUP
from foveate.plugins.selection import ALLOWED, select
from foveate.plugins.stored import names_in
from foveate.plugins.trial import attempt

# Lightning adds the callbacks of these entry points to every Trainer, without being asked.
LIGHTNING_GROUPS = ("lightning.pytorch.callbacks_factory", "pytorch_lightning.callbacks_factory")
PATIENCE = 60.0  # longest duration of one import, in seconds


@dataclass(frozen=True)
class Finding:
    """The result of importing one entry point.

    Attributes:
        point: The entry point.
        seconds: Duration of its import, after that of Foveate.
        torch: Whether its import also imported torch.
        records: The records that it offers, such as "block se".
        api: The newest version of the plugin interface that its records need.
        fault: Why it is left out; empty if it is accepted.
    """

    point: EntryPoint
    seconds: float = 0.0
    torch: bool = False
    records: list[str] = field(default_factory=list)
    api: int = 0
    fault: str = ""

    @property
    def distribution(self) -> str:
        """Name and version of the distribution, as in pip."""
        return f"{self.point.dist.name} {self.point.dist.version}" if self.point.dist else "?"

    @property
    def entry_point(self) -> str:
        """The entry point as it is written in pyproject.toml."""
        return f"{self.point.name} = {self.point.value}"


def examine() -> list[Finding]:
    """Import each allowed plugin in a child process; returns a finding for every installed plugin."""
    points = _points()
    wanted, _ = select(points, allowed=os.environ.get(ALLOWED), disable=())
    return [
        _examine(point) if point in wanted else Finding(point, fault=f"not imported: {ALLOWED} leaves it out")
        for point in points
    ]


def find_clashes(findings: Sequence[Finding]) -> list[str]:
    """A line for each record that several plugins offer.

    Args:
        findings: The results of all plugins.
    """
    offered = defaultdict(list)
    for finding in findings:
        for record in finding.records:
            offered[record].append(finding.point.dist.name if finding.point.dist else "?")
    return [
        f"{len(names)} plugins offer {record}; write {' or '.join(f'{name}:{bare}' for name in sorted(names))}"
        for record, names in sorted(offered.items())
        for bare in [record.split()[-1]]
        if len(names) > 1
    ]


def find_lightning_callbacks() -> list[EntryPoint]:
    """The entry points with which installed packages add callbacks to every Trainer."""
    return [point for group in LIGHTNING_GROUPS for point in entry_points(group=group)]


def _points() -> list[EntryPoint]:
    """All entry points, in an order that is the same in every process."""
    return sorted(entry_points(group=GROUP), key=lambda p: (p.dist.name if p.dist else "", p.name, p.value))


def _examine(point: EntryPoint) -> Finding:
    verdict = attempt(point, PATIENCE)
    return Finding(
        point,
        seconds=verdict.seconds,
        torch=verdict.torch,
        records=[f"{noun} {name}" for noun, name in names_in(verdict.records)],
        api=max((one["fields"]["api"] for one in verdict.records), default=0),
        fault=verdict.fault,
    )
