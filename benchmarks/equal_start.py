"""Does a short training from an equal, distilled start rank blocks as a long training does, or one from scratch?

    python -m foveate.benchmarks.equal_start --data ~/camvid --teacher_weights mobilenet_v2.safetensors --out runs/equal

Three comparisons of the same blocks and seeds: long from scratch, short from scratch, short from distilled encoders.
Images are shrunk to 60 x 80 pixels in the output folder. What is trained already is not trained again, and the table
is printed and written after each seed, so that the study may be ended at any time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveate.pipeline.commands.unlabelled import open_images
from foveate.pipeline.comparison.bootstrap import SCORES
from foveate.pipeline.comparison.entries import Entry, parse_entries
from foveate.pipeline.comparison.result import RESULT, Cell, read_cell, run_cell
from foveate.pipeline.comparison.start import DistilledStart
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.recipes import accept
from foveate.pipeline.startup import import_named
from foveate.pipeline.text import markdown_table
from foveate.plugins.manager import installed_plugins

BLOCKS = "none,se,cbam,lka,msca"
PLUGIN = "foveate.benchmarks.small_network"
SIZE = (80, 60)  # width and height of the images
BATCH, CROP_OF_TEACHER = 8, 64
STARTS = ("long", "nothing", "distilled")
DRAWS = 2000
Scores = NDArray[np.float64]  # (draws, blocks)
RECIPE = {
    "model": {
        "class_path": "SegmentationTask",
        "init_args": {
            "network": "small_mscan+light_ham",
            "attention": {"gate": "none"},
            "network_options": {"decoder": {"channels": 64, "rank": 16}},
            "optimizer": {"name": "adamw", "lr": 2e-3, "weight_decay": 0.01, "decoder_lr_multiplier": 1},
        },
    },
    "data": {
        "class_path": "CamVidDataModule",
        "init_args": {"crop": [48, 64], "batch_size": BATCH, "scale": [0.75, 1.5], "num_workers": 0},
    },
    "trainer": {"accelerator": "cpu", "precision": "32-true", "enable_progress_bar": False},
}


def shrink(source: Path, target: Path) -> None:
    """Write a small copy of CamVid's train and val splits.

    Args:
        source: The data set's folder.
        target: Folder of the copy; files that are there already are kept.
    """
    for folder in ("train", "trainannot", "val", "valannot"):
        way = Image.Resampling.NEAREST if folder.endswith("annot") else Image.Resampling.BOX
        (target / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((source / folder).glob("*.*g")):
            small = (target / folder / path.name).with_suffix(".png")
            if not small.is_file():
                with Image.open(path) as image:
                    image.resize(SIZE, way).save(small)


def create_study(out: Path, start: str, asked: argparse.Namespace) -> Study:
    """One of the comparisons.

    Args:
        out: Folder of the study.
        start: One of STARTS.
        asked: The command's options.
    """
    lesson = Lesson(
        teacher="mobilenet_v2_100",
        teacher_weights=asked.teacher_weights,
        data=str(out / "data/train"),
        steps=asked.distil,
        batch_size=BATCH,
        size=CROP_OF_TEACHER,
        num_workers=0,
    )
    study = Study(
        name="equal_start",
        recipe=accept(RECIPE, [PLUGIN]),
        slots=("gate",),
        steps=asked.long if start == "long" else asked.short,
        out=out / start,
        flags=["--data.root", str(out / "data")],
        modules=[PLUGIN],
        start=DistilledStart(lesson, open_images) if start == "distilled" else None,
    )
    study.settle()
    return study


def train(study: Study, entries: Sequence[Entry], seed: int) -> None:
    """Train every block with a seed, unless that was done before.

    Args:
        study: The comparison.
        entries: The blocks.
        seed: The seed.
    """
    for entry in entries:
        if read_cell(study.folder(entry, seed) / RESULT) is None:
            print(f"{study.out.name}, {entry.label}, seed {seed}: {study.steps} steps", flush=True)
            run_cell(study, entry, seed)


def read_cells(out: Path, entries: Sequence[Entry], seeds: int) -> dict[str, list[list[Cell]]]:
    """The results of each comparison: for each block, one for each seed.

    Args:
        out: Folder of the study.
        entries: The blocks.
        seeds: How many seeds.

    Raises:
        SystemExit: One is missing.
    """
    found: dict[str, list[list[Cell]]] = {}
    for start in STARTS:
        for entry in entries:
            cells = [read_cell(out / start / "cells" / f"{entry.folder}-{seed}" / RESULT) for seed in range(seeds)]
            if None in cells:
                raise SystemExit(f"{out / start}: a result of {entry.label} is missing")
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


def draw(cells: Mapping[str, list[list[Cell]]], seed: int = 0) -> dict[str, Scores]:
    """Scores of the blocks in each comparison, for images and seeds drawn again, the same ones for all.

    Args:
        cells: The results.
        seed: Of the draws.
    """
    seeds = len(next(iter(cells.values()))[0])
    picks = np.random.default_rng(seed).integers(seeds, size=(DRAWS, seeds))
    rows = np.arange(DRAWS)[:, None]
    return {
        start: np.stack([np.stack([c.draw_scores("mIoU") for c in of], 1)[rows, picks].mean(1) for of in blocks], 1)
        for start, blocks in cells.items()
    }


def figures(cells: Mapping[str, list[list[Cell]]], entries: Sequence[Entry]) -> dict[str, object]:
    """Scores, rank correlations with the long training, and 95 % intervals.

    Args:
        cells: The results.
        entries: The blocks.
    """
    scores = {
        start: [[float(SCORES["mIoU"](cell.counts.sum(0))) for cell in of] for of in blocks]
        for start, blocks in cells.items()
    }
    means = {start: np.array(values).mean(1) for start, values in scores.items()}
    drawn = draw(cells)
    taus = {start: kendall(means[start], means["long"]) for start in STARTS[1:]}
    spread = {
        start: np.array([kendall(a, b) for a, b in zip(drawn[start], drawn["long"], strict=True)])
        for start in STARTS[1:]
    }
    gain = spread["distilled"] - spread["nothing"]
    return {
        "blocks": [entry.label for entry in entries],
        "scores": scores,
        "tau": taus,
        "tau_interval": {start: _interval(values) for start, values in spread.items()},
        "difference": taus["distilled"] - taus["nothing"],
        "difference_interval": _interval(gain),
        "share_of_draws_where_distilled_agrees_more": float((gain > 0).mean()),
        "share_of_draws_where_nothing_agrees_more": float((gain < 0).mean()),
        "seconds": {start: sum(cell.seconds for of in blocks for cell in of) for start, blocks in cells.items()},
        "seconds_of_distilling": sum(cell.distilling for of in cells["distilled"] for cell in of),
        "similarity": [[round(cell.similarity, 3) for cell in of] for of in cells["distilled"]],
    }


def _interval(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.percentile(values, [2.5, 97.5])]


def report(out: Path, seeds: int) -> None:
    """Print and write the table and the figures.

    Args:
        out: Folder of the study.
        seeds: How many seeds are complete.
    """
    entries = parse_entries(BLOCKS, ["gate"])
    found = figures(read_cells(out, entries, seeds), entries)
    write_text(out / "equal_start.json", json.dumps({"seeds": seeds, **found}, indent=1) + "\n")
    scores: dict[str, list[list[float]]] = found["scores"]  # type: ignore[assignment]
    rows = [[entry.label, *(_cell(scores[start][number]) for start in STARTS)] for number, entry in enumerate(entries)]
    print("\n".join(markdown_table(["block", *STARTS], rows)))
    for key in ("tau", "tau_interval", "difference", "difference_interval"):
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
    parser.add_argument("--data", type=Path, required=True, help="CamVid's folder")
    parser.add_argument("--teacher_weights", required=True, help="ImageNet weights of MobileNetV2")
    parser.add_argument("--out", type=Path, default=Path("runs/equal_start"))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--short", type=int, default=150, help="steps")
    parser.add_argument("--long", type=int, default=2000, help="steps")
    parser.add_argument("--distil", type=int, default=300, help="steps")
    asked = parser.parse_args(words)
    shrink(asked.data, asked.out / "data")
    import_named()
    installed_plugins([PLUGIN])
    entries = parse_entries(BLOCKS, ["gate"])
    studies = [create_study(asked.out, start, asked) for start in STARTS[::-1]]
    for seed in range(asked.seeds):
        for study in studies:
            train(study, entries, seed)
        report(asked.out, seed + 1)


if __name__ == "__main__":
    run()
