"""Exported files of trained checkpoints: size, agreement with PyTorch, mIoU, and latency beside the folded engine.

python -m foveate.benchmarks.exporting CHECKPOINT ... --kinds onnx:fp32,onnx:int8 prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from foveate.pipeline.commands.open_data import build_data
from foveate.pipeline.engines import create_engine
from foveate.pipeline.export.export import Exported, Order, ParityError, export
from foveate.pipeline.export.images import Sample, find_samples
from foveate.pipeline.export.runtime import ENDINGS, open_exported
from foveate.pipeline.export.subject import Subject, open_subject
from foveate.pipeline.files import write_text
from foveate.pipeline.measuring.timing import Times, time_in_turn
from foveate.pipeline.text import markdown_table

KINDS = "onnx:fp32,openvino:fp32,torch-export:fp32,onnx:int8"
REST = 0.2  # seconds in which the threads of a runtime, which wait actively, go to sleep
HEADINGS = (
    *("network", "file", "MB", "equal", "at another size"),
    *("figure", "change", "folded, ms", "file, ms", "folded / file"),
)


def measure(subject: Subject, samples: Sequence[Sample], kind: str, folder: Path, rounds: int) -> list[str]:
    """A row of the table.

    Args:
        subject: The trained model.
        samples: Real images.
        kind: FORMAT:PRECISION.
        folder: Where files are written.
        rounds: Of the timing.
    """
    format, precision = kind.split(":")
    name = subject.model.network_name
    order = Order(format=format, precision=precision, size="dynamic", out=folder / f"model{ENDINGS[format]}")
    try:
        done = export(subject, order, samples, tell=lambda _: None)
    except ParityError as error:
        return [name, kind, "-", f"falls short: {error}", *["-"] * 6]
    first, other = done.agreements
    folded, file = latency(subject, done, samples[0], rounds)
    figure = "-" if first.exported is None else f"{100 * first.exported:.2f} % {first.figure}"
    interval = "" if first.interval is None else f" [{100 * first.interval[0]:+.2f}, {100 * first.interval[1]:+.2f}]"
    change = "-" if first.change is None else f"{100 * first.change:+.2f}{interval}"
    size = sum(path.stat().st_size for path in folder.glob("model.*") if path.suffix != ".json") / 1e6
    return [
        name,
        kind,
        f"{size:.1f}",
        f"{100 * first.equal:.3f} %",
        f"{100 * other.equal:.3f} %",
        figure,
        change,
        f"{1e3 * folded.median:.1f}",
        f"{1e3 * file.median:.1f}",
        f"{1 / file.ratio:.2f}",
    ]


def latency(subject: Subject, done: Exported, sample: Sample, rounds: int) -> tuple[Times, Times]:
    """Times of one image by the folded engine and by the file, in turn, from bytes to logits.

    Args:
        subject: The trained model.
        done: The file.
        sample: The image.
        rounds: Timed rounds.
    """
    image = sample.resized(done.agreements[0].size).image[None]
    engine = create_engine(subject.model.network, subject.model.normalise(image), engine="folded")
    exported, pixels = open_exported(done.path), image.numpy()
    works = {
        "folded": lambda: engine(subject.model.normalise(image)),
        "file": lambda: exported(pixels),
        "rest": lambda: time.sleep(REST),
    }
    times = time_in_turn(works, rounds=rounds, warm_up=3)
    return times["folded"], times["file"]


def main(words: Sequence[str] | None = None) -> None:
    """Print the table, and write it if asked.

    Args:
        words: The command line; that of the process if not given.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--plugins", default="")
    parser.add_argument("--out", default="")
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # else some runtimes take every core
    rows = []
    for checkpoint in given.checkpoints:
        subject = open_subject(checkpoint, [name for name in given.plugins.split(",") if name])
        data = build_data(subject.data["class_path"], dict(subject.data["init_args"]), [], subject.modules)
        samples = find_samples(subject, None, data, given.images)
        for kind in given.kinds.split(","):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(subject, samples, kind, Path(folder), given.rounds))
            print(" | ".join(rows[-1]), flush=True)
    table = "\n".join(markdown_table(HEADINGS, rows))
    print(table)
    if given.out:
        write_text(Path(given.out), table + "\n")


if __name__ == "__main__":
    main()
