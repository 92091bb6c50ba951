"""Does a short training from an equal, distilled start rank blocks as a long training does, or one from scratch?

    python -m foveate.benchmarks.equal_start --data ~/data --teacher_weights mobilenet_v2.safetensors --out runs/equal

The long trainings are those of the leaderboard, whose records come with Foveate: nothing of them is trained again. The
short ones have the same recipe, seeds and blocks with fewer steps: from scratch, from scratch with as many steps more
as a distillation has, and from distilled encoders. What is trained already is not trained again, and the table is
printed and written after each seed, so that the study may be ended at any time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.commands.unlabelled import open_images
from foveate.pipeline.comparison.bootstrap import SCORES
from foveate.pipeline.comparison.entries import Entry, parse_entries
from foveate.pipeline.comparison.result import RESULT, Cell, read_cell, run_cell
from foveate.pipeline.comparison.start import DistilledStart
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.files import write_text
from foveate.pipeline.leaderboard import fit
from foveate.pipeline.leaderboard.protocol import CURRENT, Track, find_protocol
from foveate.pipeline.leaderboard.record import file_of, published, read_record, unpack
from foveate.pipeline.startup import import_named
from foveate.pipeline.text import markdown_table
from foveate.plugins.manager import installed_plugins

BLOCKS = "none,strip_pooling,se,simam,coordinate,cbam_spatial,cbam,lka"  # far apart after the long training
TEACHER = "mobilenet_v2_100"
BATCH, CROP = 32, 64  # of the distillation; crops in pixels
STARTS = ("long", "scratch", "scratch_longer", "distilled")
DRAWS = 2000
KEYS = ("tau", "tau_of_each_seed", "tau_interval", "gain", "gain_interval")
Scores = NDArray[np.float64]  # (draws, blocks)
Cells = dict[str, list[list[Cell]]]  # of each start: for each block, one for each seed


def create_study(track: Track, start: str, asked: argparse.Namespace) -> Study:
    """The short trainings from one start.

    Args:
        track: The table of the leaderboard.
        start: One of STARTS but the first.
        asked: The command's options.
    """
    lesson = Lesson(
        teacher=TEACHER,
        teacher_weights=asked.teacher_weights,
        data=str(asked.data / track.folder / "train"),
        steps=asked.distil,
        batch_size=BATCH,
        size=CROP,
        num_workers=0,
    )
    study = replace(
        fit.create_study(track, asked.data, []),
        steps=asked.short + (asked.distil if start == "scratch_longer" else 0),
        out=asked.out / start,
        start=DistilledStart(lesson, open_images) if start == "distilled" else None,
    )
    study.settle()
    return study


def train(study: Study, entries: Sequence[Entry], seed: int) -> None:
    """Train every block with a seed, unless that was done before.

    Args:
        study: The short trainings from one start.
        entries: The blocks.
        seed: The seed.
    """
    for entry in entries:
        if read_cell(study.folder(entry, seed) / RESULT) is None:
            print(f"{study.out.name}, {entry.label}, seed {seed}: {study.steps} steps", flush=True)
            run_cell(study, entry, seed)


def read_long(records: Path, track: Track, entry: Entry, seed: int) -> Cell:
    """The long training of a block and a seed, out of its record.

    Args:
        records: Folder of the leaderboard's records.
        track: The table.
        entry: The block.
        seed: The seed.

    Raises:
        CheckpointError: It is missing, or no record.
    """
    content = read_record(file_of(records, track.name, entry.folder, seed)).content
    columns = 3 * len(content["result"]["classes"])
    nothing = np.zeros(0, np.float32)
    return Cell(unpack(content["result"]["images"], columns), nothing, nothing, content["training"]["cpu_seconds"])


def read_cells(asked: argparse.Namespace, track: Track, entries: Sequence[Entry], seeds: int) -> Cells:
    """The results from each start: for each block, one for each seed.

    Args:
        asked: The command's options.
        track: The table of the leaderboard.
        entries: The blocks.
        seeds: How many seeds.

    Raises:
        CheckpointError: A record is missing.
        SystemExit: The result of a short training is missing.
    """
    found: Cells = {
        "long": [[read_long(asked.records, track, entry, seed) for seed in range(seeds)] for entry in entries]
    }
    for start in STARTS[1:]:
        for entry in entries:
            cells = [
                read_cell(asked.out / start / "cells" / f"{entry.folder}-{seed}" / RESULT) for seed in range(seeds)
            ]
            if None in cells:
                raise SystemExit(f"{asked.out / start}: a result of {entry.label} is missing")
            found.setdefault(start, []).append([cell for cell in cells if cell is not None])
    return found


def kendall(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Kendall's tau: the share of pairs in the same order, less the share of those in the opposite order.

    Args:
        ours: A score for each block.
        theirs: Likewise.

    Example:
        >>> kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
        0.3333333333333333
    """
    first, second = np.triu_indices(len(ours), 1)
    signs = np.sign(ours[first] - ours[second]) * np.sign(theirs[first] - theirs[second])
    return float(signs.mean())


def draw(cells: Mapping[str, list[list[Cell]]], score: str, seed: int = 0) -> dict[str, Scores]:
    """Scores of the blocks from each start, for images and seeds drawn again, the same ones for all.

    Args:
        cells: The results.
        score: mIoU or accuracy.
        seed: Of the draws.
    """
    seeds = len(next(iter(cells.values()))[0])
    picks = np.random.default_rng(seed).integers(seeds, size=(DRAWS, seeds))
    rows = np.arange(DRAWS)[:, None]
    return {
        start: np.stack([np.stack([c.draw_scores(score) for c in of], 1)[rows, picks].mean(1) for of in blocks], 1)
        for start, blocks in cells.items()
    }


def figures(cells: Mapping[str, list[list[Cell]]], entries: Sequence[Entry], score: str) -> dict[str, object]:
    """Scores, rank correlations with the long training, what the distilled start gains in them, and 95 % intervals.

    Args:
        cells: The results.
        entries: The blocks.
        score: mIoU or accuracy.
    """
    scores = {
        start: [[float(SCORES[score](cell.counts.sum(0))) for cell in of] for of in blocks]
        for start, blocks in cells.items()
    }
    means = {start: np.array(values).mean(1) for start, values in scores.items()}
    drawn = draw(cells, score)
    taus = {start: kendall(means[start], means["long"]) for start in STARTS[1:]}
    spread = {
        start: np.array([kendall(a, b) for a, b in zip(drawn[start], drawn["long"], strict=True)])
        for start in STARTS[1:]
    }
    gains = {start: spread["distilled"] - spread[start] for start in STARTS[1:-1]}
    return {
        "blocks": [entry.label for entry in entries],
        "scores": scores,
        "tau": taus,
        "tau_of_each_seed": {
            start: [kendall(np.array(one), means["long"]) for one in zip(*scores[start], strict=True)]
            for start in STARTS[1:]
        },
        "tau_interval": {start: _interval(values) for start, values in spread.items()},
        "gain": {start: taus["distilled"] - taus[start] for start in gains},
        "gain_interval": {start: _interval(values) for start, values in gains.items()},
        "share_of_draws_where_distilled_agrees_more": {start: float((g > 0).mean()) for start, g in gains.items()},
        "share_of_draws_where_it_agrees_less": {start: float((g < 0).mean()) for start, g in gains.items()},
        "seconds": {start: sum(cell.seconds for of in blocks for cell in of) for start, blocks in cells.items()},
        "seconds_of_distilling": sum(cell.distilling for of in cells["distilled"] for cell in of),
        "similarity": [[round(cell.similarity, 3) for cell in of] for of in cells["distilled"]],
    }


def _interval(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.percentile(values, [2.5, 97.5])]


def report(asked: argparse.Namespace, track: Track, entries: Sequence[Entry], seeds: int) -> None:
    """Print and write the table and the figures.

    Args:
        asked: The command's options.
        track: The table of the leaderboard.
        entries: The blocks.
        seeds: How many seeds are complete.
    """
    found = figures(read_cells(asked, track, entries, seeds), entries, track.score)
    write_text(asked.out / "equal_start.json", json.dumps({"seeds": seeds, **found}, indent=1) + "\n")
    scores: dict[str, list[list[float]]] = found["scores"]  # type: ignore[assignment]
    rows = [[entry.label, *(_cell(scores[start][number]) for start in STARTS)] for number, entry in enumerate(entries)]
    print("\n".join(markdown_table(["block", *STARTS], rows)))
    for key in KEYS:
        print(f"{key}: {found[key]}", flush=True)


def _cell(values: Sequence[float]) -> str:
    said = ", ".join(f"{100 * value:.1f}" for value in values)
    return f"{100 * np.mean(values):.1f} ({said})"


def run(words: Sequence[str] | None = None) -> None:
    """Run the study.

    Args:
        words: The command line; that of the process if not given.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data set's folder")
    parser.add_argument("--teacher_weights", required=True, help="ImageNet weights of MobileNetV2")
    parser.add_argument("--records", type=Path, default=published(), help="the long trainings")
    parser.add_argument("--track", default="cifar10-block", help="a track of the leaderboard")
    parser.add_argument("--blocks", default=BLOCKS)
    parser.add_argument("--out", type=Path, default=Path("runs/equal_start"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--short", type=int, default=100, help="steps")
    parser.add_argument("--distil", type=int, default=200, help="steps")
    asked = parser.parse_args(words)
    import_named()
    installed_plugins()
    track = find_protocol(CURRENT).tracks[asked.track]
    entries = parse_entries(asked.blocks, [track.slot])
    studies = [create_study(track, start, asked) for start in STARTS[1:]]
    for seed in range(asked.seeds):
        for study in studies:
            train(study, entries, seed)
        report(asked, track, entries, seed + 1)


if __name__ == "__main__":
    run()
