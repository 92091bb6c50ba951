"""What a case measured, kept as a file of its own, so that a long run can go on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foveate.benchmarks.pairing import Ratio, ratio


@dataclass(frozen=True)
class Settings:
    """How every case is run.

    Args:
        threads: Of torch, in each process.
        device: `cpu` or `cuda`.
        out: Folder for results and data that is made.
        rounds: Factor on the number of rounds of each case.
    """

    threads: int = 2
    device: str = "cpu"
    out: Path = Path("runs/bench")
    rounds: float = 1.0

    def times(self, rounds: int) -> int:
        """So many rounds as asked for, at least 3."""
        return max(3, round(rounds * self.rounds))


@dataclass(frozen=True)
class Goal:
    """One comparison of a case, and what it should reach.

    Attributes:
        row: What is compared, as the table says it.
        peer: Name of the peer's candidate.
        ours: Name of ours.
        factor: How many times the peer's figure should be ours, or, where `share`, ours the peer's at most.
        share: Whether ours is told as a share of the peer's: of memory.
    """

    row: str
    peer: str
    ours: str
    factor: float | None = None
    share: bool = False

    def reached(self, figures: dict[str, list[float]]) -> Ratio:
        """The ratio that was measured."""
        ours, peer = figures[self.ours], figures[self.peer]
        return ratio(ours, peer) if self.share else ratio(peer, ours)

    def is_met(self, figures: dict[str, list[float]]) -> bool | None:
        """Whether the goal was reached; None where there is none."""
        if self.factor is None:
            return None
        median = self.reached(figures).median
        return median <= self.factor if self.share else median >= self.factor


@dataclass
class Result:
    """Of one case.

    Attributes:
        case: Its name.
        title: Heading in the report.
        what: What was measured, on what, in a sentence or two.
        unit: Of the figures.
        figures: Candidate -> a figure of each round.
        goals: The comparisons.
        remarks: What a reader has to know beside, such as which setting of a peer was its best.
        plots: Files beside the report.
        facts: The machine and the versions.
    """

    case: str
    title: str
    what: str
    figures: dict[str, list[float]]
    goals: list[Goal]
    unit: str = "s"
    remarks: list[str] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write it as `<case>.json`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.case}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(path)
        return path

    @classmethod
    def load(cls, path: Path) -> Result:
        """What `save` wrote."""
        read = json.loads(path.read_text())
        return cls(**{**read, "goals": [Goal(**goal) for goal in read["goals"]]})
