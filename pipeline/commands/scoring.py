"""What `foveate score` does: pairs files, counts, and shows the scores."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataError
from foveate.datasets.progress import bar
from foveate.pipeline.metrics.report import Report, print_report, report_figures
from foveate.pipeline.scoring.conventions import Convention, Ids, convention_of, in_ranges, look_like_train_ids
from foveate.pipeline.scoring.counting import Counts, count_frames, predicted_ids
from foveate.pipeline.scoring.faults import FilesError
from foveate.pipeline.scoring.figures import official_figures, official_report, plain_figures
from foveate.pipeline.scoring.frames import (
    Frame,
    cityscapes_labels,
    named_labels,
    pair_by_name,
    pair_cityscapes,
    prediction_folder,
)
from foveate.pipeline.scoring.official import score_officially

OFFICIAL = "cityscapes"
SCHEMA = 1  # version of the JSON


@dataclass(frozen=True)
class Asked:
    """The options of `foveate score`, which describes them."""

    predictions: str
    labels: str
    dataset: str
    classes: str | None
    ids: Ids | None
    split: str
    extra: bool
    workers: int


def score_files(asked: Asked) -> dict[str, Any]:
    """Score, and print the table.

    Args:
        asked: The options.

    Returns:
        The content of a file.

    Raises:
        DataError: Files are missing, damaged, or do not fit.
    """
    classes = None if asked.classes is None else Path(asked.classes).expanduser()
    convention = convention_of(asked.dataset, asked.ids or "regular", classes)
    pairs = _find(asked)
    counts = _count(pairs, convention, asked.workers)
    if asked.ids is None:
        _refuse_train_ids(counts, convention)
    _refuse_unlabelled(counts, convention)
    official = asked.dataset == OFFICIAL
    figures, report = _evaluate(counts, convention, official=official)
    notes = _notes(pairs, counts, convention, official)
    print_report(report, f"{asked.dataset}, {len(pairs)} frames", "\n".join(notes))
    head = {"schema": SCHEMA, "dataset": asked.dataset, "frames": len(pairs), "predicted_ids": convention.ids}
    return {**head, **figures}


def _find(asked: Asked) -> list[Frame]:
    """The frames; what is missing, extra or doubled is printed before it is an error."""
    predictions, labels = prediction_folder(Path(asked.predictions).expanduser()), Path(asked.labels).expanduser()
    try:
        if asked.dataset == OFFICIAL:
            return pair_cityscapes(cityscapes_labels(labels, asked.split), predictions, extra=asked.extra)
        return pair_by_name(named_labels(labels, asked.split), predictions, extra=asked.extra)
    except FilesError as error:
        print(*error.lines, sep="\n", file=sys.stderr, flush=True)
        raise


def _count(frames: list[Frame], convention: Convention, workers: int) -> Counts:
    with bar("scoring") as advance:
        return count_frames(frames, convention, workers=workers, advance=advance)


def _refuse_train_ids(counts: Counts, convention: Convention) -> None:
    """Stop where predictions seem to hold train ids and nobody said what they hold."""
    found = predicted_ids(counts, convention)
    if look_like_train_ids(found, convention):
        raise DataError(
            f"predictions hold only the numbers {in_ranges(sorted(found))}, which look like train ids (0 to "
            f"{len(convention.scored) - 1}); say --ids train, or --ids regular if they are ids of the label files"
        )


def _refuse_unlabelled(counts: Counts, convention: Convention) -> None:
    if not counts.confusion[list(map(convention.labels.ids.index, convention.scored))].any():
        raise DataError("no pixel is labelled with a class that has a score")


def _evaluate(counts: Counts, convention: Convention, *, official: bool) -> tuple[dict[str, Any], Report]:
    if not official:
        figures = plain_figures(counts, convention)
        return figures, report_figures(figures)
    scores = score_officially(counts)
    figures = official_figures(scores, counts, convention)
    return figures, official_report(scores, figures)


def _notes(frames: list[Frame], counts: Counts, convention: Convention, official: bool) -> list[str]:
    """What to know about the scores."""
    notes = [f"predictions hold {convention.accepted}"]
    without = sum(frame.instances is None for frame in frames)
    if official and without:
        notes.append(f"iIoU is left out: {without} of {len(frames)} label maps have no *_instanceIds.png beside them")
    if nowhere := int(counts.confusion[:, -1].sum()):
        share = 100 * nowhere / counts.confusion.sum()
        notes.append(f"{share:.2g} % of the labelled pixels are predicted as no class, which counts as wrong")
    return notes
