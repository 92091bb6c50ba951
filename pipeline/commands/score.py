"""`foveate score`: scores label files by the rules of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from foveate.datasets.errors import DataConfigError
from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import run_single

DataSet = Literal["cityscapes", "folder", "ade20k", "voc2012", "camvid", "loveda", "coco_stuff164k"]


def score(
    predictions: str,
    labels: str,
    dataset: DataSet = "cityscapes",
    classes: str | None = None,
    ids: Literal["regular", "train"] | None = None,
    split: str = "val",
    extra: bool = False,
    workers: int = 1,
    json: str | None = None,
) -> None:
    """Score predicted label maps against true ones; for Cityscapes the official class and category IoU and iIoU.

    Every label map needs exactly one prediction; what is missing, extra or doubled is named, and the exit code is 3.

    Example: foveate score predictions ~/cityscapes/gtFine/val --dataset cityscapes --workers 2

    Args:
        predictions: Folder of predicted label maps (PNG), or what foveate predict wrote.
        labels: Folder of the true label maps, or the data set's root.
        dataset: Whose classes and rules; folder takes any classes.
        classes: For folder: the classes.yaml that lists the classes and their values.
        ids: What predictions hold: regular ids, those of the label files, or train ids 0, 1, 2 ...; regular, if not
            given, unless they look like train ids, which is an error.
        split: The split, where labels is a data set's root.
        extra: Accept predictions without a label map, and leave them out.
        workers: How many frames are read at the same time; the scores do not depend on it.
        json: File for all figures; - prints them, and everything else goes to stderr.

    Raises:
        DataConfigError: There are no workers.
    """
    if workers < 1:
        raise DataConfigError(f"--workers is at least 1, not {workers}")
    from foveate.pipeline.commands.scoring import Asked, score_files  # late: NumPy takes longer than --help should

    asked = Asked(predictions, labels, dataset, classes, ids, split, extra=extra, workers=workers)
    answer(json, lambda: score_files(asked))


def run(words: Sequence[str]) -> None:
    """Run `foveate score`.

    Args:
        words: The command line after it.
    """
    run_single("foveate score", score, words or ["--help"])
