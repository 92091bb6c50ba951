"""How many planted label faults `foveate data doubt` finds, in drawn scenes whose faults are known exactly.

    python -m foveate.benchmarks.doubts --out runs/bench/doubts

Trains three networks (one with all images, two out of fold), which takes about 20 minutes on two CPU cores, and prints
the table of docs/evaluation.md. What is trained already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from foveate.benchmarks.planting import KINDS, Fault, plant
from foveate.pipeline.runs.directories import list_runs
from foveate.pipeline.runs.unfinished import is_finished
from foveate.pipeline.text import markdown_table

RECIPE = "synthetic_segnext_t"
SIZE = 128, 256
CATEGORIES = """\
classes:
  flat: [road, sidewalk]
  construction: [building, wall, fence]
  object: [pole, traffic light, traffic sign]
  nature: [vegetation, terrain]
  sky: [sky]
  human: [person, rider]
  vehicle: [car, truck, bus, train, motorcycle, bicycle]
"""
Box = Sequence[int]
FIRST = 20  # regions
LARGE = 400  # pixels
INSIDE, COVERED = 0.5, 0.25  # of a doubt's box that lies in a fault's, and of the fault's box that it covers


@dataclass(frozen=True)
class Rates:
    """What the most doubtful regions hit.

    Attributes:
        looked_at: How many regions.
        precision: Share of them that hit a fault.
        recall: Share of the faults that are hit.
        recall_large: Share of those with so many changed pixels that are hit.
    """

    looked_at: int
    precision: float
    recall: float
    recall_large: float


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/doubts"))
    parser.add_argument("--scenes", type=int, default=240, help="training scenes (240)")
    parser.add_argument("--each", type=int, default=40, help="faults of each kind (40)")
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    options = parser.parse_args()
    faults = plant(options.out / "scenes", scenes=options.scenes, size=SIZE, each=options.each)
    print("\n".join(report(faults, asked(options.out, options.steps))))


def asked(out: Path, steps: int) -> dict[str, list[dict[str, Any]]]:
    """The doubts of a network about its own training images, and out of fold."""
    (out / "categories.yaml").write_text(CATEGORIES)
    flags = [f"--data.root={out / 'scenes'}", f"--data.label_map={out / 'categories.yaml'}"]
    flags += [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps}", "--trainer.precision=bf16-mixed"]
    quiet = ["--trainer.enable_progress_bar=false", "--pictures.count=0"]
    runs = out / "runs"
    if not (done := [run for run in list_runs(runs, RECIPE) if is_finished(run)]):
        start("fit", f"--config={RECIPE}", *flags, *quiet, f"--trainer.default_root_dir={runs}")
        done = list_runs(runs, RECIPE)
    own, folded = out / "own.json", out / "folded.json"
    start("data", "doubt", str(done[-1] / "checkpoints" / "last.ckpt"), f"--json={own}", f"--out={out / 'own'}")
    start("data", "doubt", RECIPE, "--folds=2", f"--json={folded}", f"--out={out / 'folded'}", *flags)
    return {
        "its own training images": json.loads(own.read_text())["doubts"],
        "out of fold, --folds 2": json.loads(folded.read_text())["doubts"],
    }


def start(*words: str) -> None:
    """Run a command of foveate."""
    subprocess.run([sys.executable, "-m", "foveate.cli", *words], check=True)


def report(faults: Sequence[Fault], asked: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The lines of a table."""
    rows = []
    for how, doubts in asked.items():
        cases: list[tuple[str | None, int | None]] = [*((kind, None) for kind in KINDS)]
        cases += [(None, FIRST), (None, None), (None, 2 * len(faults))]
        for kind, looked_at in cases:
            rates = rates_of(doubts, faults, kind, looked_at)
            shares = (f"{share:.2f}" for share in (rates.precision, rates.recall, rates.recall_large))
            rows.append([how, kind or "all", str(rates.looked_at), *shares])
    headings = ["asked about", "fault", "regions looked at", "precision", "recall", f"recall, {LARGE} pixels or more"]
    return markdown_table(headings, rows)


def rates_of(
    doubts: list[dict[str, Any]], faults: Sequence[Fault], kind: str | None, looked_at: int | None = None
) -> Rates:
    """Precision and recall of the most doubtful regions.

    Args:
        doubts: The most doubtful first.
        faults: All planted ones.
        kind: Of which the faults are sought; regions that hit others are passed over, as if those had been put right
            before. None seeks all.
        looked_at: How many regions; as many as faults are sought if not given.
    """
    sought = {fault.number for fault in faults if kind in (None, fault.kind)}
    large = {fault.number for fault in faults if fault.number in sought and fault.pixels >= LARGE}
    hits = (hit for doubt in doubts if (hit := hit_by(doubt, faults)) is None or hit in sought)
    top = list(islice(hits, looked_at or len(sought)))
    right = [hit for hit in top if hit is not None]
    found = set(right)
    return Rates(
        looked_at=len(top),
        precision=len(right) / max(1, len(top)),
        recall=len(found) / len(sought),
        recall_large=len(found & large) / max(1, len(large)),
    )


def hit_by(doubt: dict[str, Any], faults: Sequence[Fault]) -> int | None:
    """The number of the fault that a doubt is about: half of its box lies in the fault's, of which it covers a quarter.

    Args:
        doubt: A row of the table.
        faults: All planted ones.
    """
    box = [doubt[name] for name in ("x0", "y0", "x1", "y1")]
    frame = Path(doubt["image"]).name.removesuffix("_leftImg8bit.png")
    shared = {fault.number: (shared_area(box, fault.box), fault.box) for fault in faults if fault.frame == frame}
    fitting = {
        number: area
        for number, (area, other) in shared.items()
        if area >= INSIDE * area_of(box) and area >= COVERED * area_of(other)
    }
    return max(fitting, key=fitting.__getitem__, default=None)


def shared_area(first: Box, second: Box) -> int:
    """Pixels that two boxes share."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    return max(0, right - left) * max(0, bottom - top)


def area_of(box: Box) -> int:
    """Pixels of a box."""
    return shared_area(box, box)


if __name__ == "__main__":
    main()
