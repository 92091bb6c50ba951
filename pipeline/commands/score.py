"""`foveate score`: scores label files by the rules of the benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveate.datasets.errors import DataConfigError, DataError
from foveate.pipeline.command_line import run_single
from foveate.pipeline.commands.figures import STDOUT, write_figures

if TYPE_CHECKING:
    from foveate.pipeline.metrics.report import Report
    from foveate.pipeline.scoring.conventions import Convention
    from foveate.pipeline.scoring.counting import Counts
    from foveate.pipeline.scoring.frames import Frame

DataSet = Literal["cityscapes", "folder", "ade20k", "voc2012", "camvid", "loveda", "coco_stuff164k"]
OFFICIAL = "cityscapes"
SCHEMA = 1  # version of the JSON


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
        DataError: Files are missing, damaged, or do not fit.
    """
    if workers < 1:
        raise DataConfigError(f"--workers is at least 1, not {workers}")
    from foveate.pipeline.scoring.conventions import convention_of
    from foveate.pipeline.scoring.frames import prediction_folder

    convention = convention_of(dataset, ids or "regular", None if classes is None else Path(classes).expanduser())
    folder = prediction_folder(Path(predictions).expanduser())
    with redirect_stdout(sys.stderr) if json == STDOUT else nullcontext():
        frames = _find(folder, Path(labels).expanduser(), dataset, split, extra)
        counts = _count(frames, convention, workers)
        if ids is None:
            _refuse_train_ids(counts, convention)
        _refuse_unlabelled(counts, convention)
        figures, report = _evaluate(counts, convention, official=dataset == OFFICIAL)
        _show(report, f"{dataset}, {len(frames)} frames", _notes(frames, counts, convention, dataset == OFFICIAL))
    if json is not None:
        head = {"schema": SCHEMA, "dataset": dataset, "frames": len(frames), "predicted_ids": convention.ids}
        write_figures({**head, **figures}, json)


def _find(predictions: Path, labels: Path, dataset: str, split: str, extra: bool) -> list[Frame]:
    """The frames; what is missing, extra or doubled is printed before it is an error."""
    from foveate.pipeline.scoring import frames
    from foveate.pipeline.scoring.faults import FilesError

    try:
        if dataset == OFFICIAL:
            return frames.pair_cityscapes(frames.cityscapes_labels(labels, split), predictions, extra=extra)
        return frames.pair_by_name(frames.named_labels(labels, split), predictions, extra=extra)
    except FilesError as error:
        print(*error.lines, sep="\n", file=sys.stderr, flush=True)
        raise


def _count(frames: list[Frame], convention: Convention, workers: int) -> Counts:
    from foveate.datasets.progress import bar
    from foveate.pipeline.scoring.counting import count_frames

    with bar("scoring") as advance:
        return count_frames(frames, convention, workers=workers, advance=advance)


def _refuse_train_ids(counts: Counts, convention: Convention) -> None:
    """Stop where predictions seem to hold train ids and nobody said what they hold."""
    from foveate.pipeline.scoring.conventions import in_ranges, look_like_train_ids
    from foveate.pipeline.scoring.counting import predicted_ids

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
    from foveate.pipeline.metrics.report import report_figures
    from foveate.pipeline.scoring.figures import official_figures, official_report, plain_figures
    from foveate.pipeline.scoring.official import score_officially

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


def _show(report: Report, title: str, notes: list[str]) -> None:
    from foveate.pipeline.metrics.report import print_report

    print_report(report, title, "\n".join(notes))


def run(words: Sequence[str]) -> None:
    """Run `foveate score`.

    Args:
        words: The command line after it.
    """
    run_single("foveate score", score, words or ["--help"])
