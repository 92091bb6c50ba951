"""The race in the report: mIoU by minute, and when ours passed what a peer ended with."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OURS = "ours"
PLOT, SECTION = "race.svg", "race.md"
Run = Mapping[str, Any]


def write(runs: Path, folder: Path) -> None:
    """Write table and plot of the runs that are done; what is there stays where none is.

    Args:
        runs: Folder with a file a run.
        folder: Where race.md and race.svg lie, beside the report, which takes the former in.
    """
    races = [json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))]
    if done := [race for race in races if race["done"]]:
        draw(done, folder / PLOT)
        (folder / SECTION).write_text(section(done) + "\n")


def section(races: Sequence[Run]) -> str:
    """The table, and what it means."""
    lines = ["## Race: real CamVid from scratch", "", HOW, ""]
    lines += ["| contestant | minutes | seed | steps | last val mIoU |", "|---|--:|--:|--:|--:|"]
    for race in sorted(races, key=lambda race: (race["name"], race["minutes"], race["seed"])):
        last = race["points"][-1]
        lines.append(
            f"| {race['name']} | {race['minutes']:g} | {race['seed']} | {last['step']} | {100 * last['miou']:.1f} % |"
        )
    lines += ["", "| ours passes the last mIoU of | goal | share of its minutes, each seed |", "|---|--:|---|"]
    lines += [f"| {peer} | 0.5 | {', '.join(shares)} |" for peer, shares in overtakings(races).items()]
    return "\n".join([*lines, "", f"![val mIoU by minute of training]({PLOT})"])


HOW = (
    "Same batches in the same order (batch 4, crops of 352 x 480, scale 0.5-2), same AdamW (1e-3), same schedule over "
    "the share of the time that is gone; one thread a run; the clock stands still during validation. The two SegNeXts "
    "start from the same weights. smp-unet has MobileNetV2 as its encoder."
)


def overtakings(races: Sequence[Run]) -> dict[str, list[str]]:
    """Peer -> for each seed, when ours passed its last score, as a share of its minutes: seed by seed."""
    found: dict[str, list[str]] = defaultdict(list)
    ours = {(race["seed"], race["minutes"]): race for race in races if race["name"] == OURS}
    for race in sorted(races, key=lambda race: (race["name"], race["seed"])):
        if race["name"] != OURS:
            own = ours.get((race["seed"], race["minutes"]))
            minute = None if own is None else passed(own["points"], race["points"][-1]["miou"])
            found[race["name"]].append("never" if minute is None else f"{minute / race['points'][-1]['minute']:.2f}")
    return dict(found)


def passed(points: Sequence[Mapping[str, float]], miou: float) -> float | None:
    """The minute at which a run was first seen at this score or above; None if never. Nothing is interpolated.

    Example:
        >>> passed([{"minute": 2, "miou": 0.1}, {"minute": 4, "miou": 0.3}], 0.2)
        4
    """
    return next((point["minute"] for point in points if point["miou"] >= miou), None)


def draw(races: Sequence[Run], path: Path) -> None:
    """val mIoU by minute of training: the mean of the seeds as a line, each seed as dots."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "race"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    groups: dict[str, list[Run]] = defaultdict(list)
    for race in races:
        groups[f"{race['name']} ({race['minutes']:g} min)"].append(race)
    for name, runs in sorted(groups.items()):
        columns = list(zip(*(run["points"] for run in runs), strict=False))
        minutes = [statistics.mean(point["minute"] for point in column) for column in columns]
        line = axes.plot(minutes, [100 * statistics.mean(p["miou"] for p in c) for c in columns], label=name)[0]
        for run in runs:
            points = run["points"]
            axes.plot([p["minute"] for p in points], [100 * p["miou"] for p in points], ".", color=line.get_color())
    axes.set(xlabel="minutes of training", ylabel="val mIoU, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
