"""Asks one network, or one for each part of the images, and writes what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.progress import bar
from foveate.pipeline.doubt.files import LIST, TABLE, figures_of, write_list, write_table
from foveate.pipeline.doubt.folds import Folds, train_folds
from foveate.pipeline.doubt.looking import Search, Seen, look
from foveate.pipeline.doubt.opening import Opened, Split, open_checkpoint
from foveate.pipeline.doubt.page import render_doubts
from foveate.pipeline.doubt.ranking import Doubt, rank
from foveate.pipeline.files import write_text
from foveate.pipeline.runs.data_sets import import_ours
from foveate.pipeline.runs.directories import run_of
from foveate.pipeline.text import few
from foveate.pipeline.training.flags import take_option
from foveate.pipeline.training.request import understand

PAGE = "doubts.html"
DOUBT = "doubt"  # folder in a run


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        target: A checkpoint; with folds also a recipe.
        is_recipe: Whether it is a recipe.
        split: Whose labels are doubted.
        folds: Number of networks that are trained for it; None asks the checkpoint.
        count: Doubts with pictures.
        min_area: Smallest region in pixels.
        band: Border of a region in pixels.
        out: Folder to write to.
        flags: Flags of the recipe.
    """

    target: str
    is_recipe: bool = False
    split: Split = "train"
    folds: int | None = None
    count: int = 60
    min_area: int | None = None
    band: int | None = None
    out: Path | None = None
    flags: list[str] = field(default_factory=list)


def ask(question: Question) -> dict[str, Any]:
    """Look for doubtful labels, write page, table and list, and give all figures.

    Args:
        question: What is asked.

    Raises:
        DataConfigError: A recipe is given without folds.
        DataError: No image can be read, or the folder cannot be written.
    """
    import_ours()
    if question.folds is None and question.is_recipe:
        raise DataConfigError(f"{question.target} is a recipe: give a checkpoint, or train networks with --folds 5")
    if question.folds is None:
        first = open_checkpoint(question.target, question.split, question.flags)
        out = question.out or (run_of(first.checkpoint) or first.checkpoint.parent) / DOUBT / question.split
        return _answer(question, out, 1, lambda source: first)
    folds = _folds(question)
    checkpoints = train_folds(folds)

    @lru_cache(maxsize=1)
    def opened(source: int) -> Opened:
        return open_checkpoint(str(checkpoints[source]), "val")

    return _answer(question, folds.out, len(checkpoints), opened)


def _folds(question: Question) -> Folds:
    """The trainings of a question, from a recipe or from that of a checkpoint."""
    named = "--config" if question.is_recipe else "--ckpt_path"
    request = understand("validate", [named, question.target, *question.flags])
    _, flags = take_option(question.flags, "--plugins")
    flags += [f"--plugins={module}" for module in request.modules]  # those that a run remembers too
    assert question.folds is not None
    out = question.out or Path("doubts") / request.name
    return Folds(name=request.name, recipe=request.recipe, count=question.folds, out=out, flags=flags)


def _answer(question: Question, out: Path, networks: int, opened: Callable[[int], Opened]) -> dict[str, Any]:
    """Ask each network, and write what came out."""
    seen = _look(question, networks, opened)
    doubts = rank(seen.found, seen.evidence)
    last = opened(networks - 1)
    names = last.task.labels.names
    facts = _facts(question, seen, doubts, networks, last)
    with bar("drawing") as advance:
        page = render_doubts(
            f"Doubted labels of {names_of(last)}",
            facts,
            doubts,
            seen.evidence,
            count=question.count,
            opened=opened,
            advance=advance,
        )
    try:
        write_table(out, doubts, names, segments=last.segments)
        images = write_list(out, doubts)
        write_text(out / PAGE, page)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error}; give --out DIR") from error
    for line in facts:
        print(line)
    print(f"{out / PAGE} written, {len(page.encode()) / 1e6:.1f} MB: open it in a browser")
    print(f"{out / TABLE}: all {len(doubts)} with boxes; {out / LIST}: {images} images to label again", flush=True)
    return figures_of(doubts, seen.evidence, names)


def _look(question: Question, networks: int, opened: Callable[[int], Opened]) -> Seen:
    """What all networks say together."""
    search = Search(question.band, question.min_area)
    whole: Seen | None = None
    for source in range(networks):
        with bar(f"network {source + 1} of {networks}" if networks > 1 else question.split) as advance:
            seen = look(opened(source), search, advance, source)
        if whole is None:
            whole = seen
        else:
            whole.add(seen)
    assert whole is not None
    if not whole.images:
        raise DataError(f"no image of {question.split} can be read: {few(whole.damaged)}")
    return whole


def _facts(question: Question, seen: Seen, doubts: Sequence[Doubt], networks: int, opened: Opened) -> list[str]:
    what = "regions" if opened.segments else "images"
    images = len({doubt.found.image for doubt in doubts})
    how = f"{networks} networks, each asked about the images that it was not trained with"
    lines = [
        f"{len(doubts)} doubted {what} in {images} of {seen.images} images of {question.split}",
        f"asked: {opened.checkpoint if question.folds is None else how}",
    ]
    if question.folds is None and question.split == "train":
        lines.append(
            "The network was trained with these labels and may have learned their faults; --folds 5 asks others."
        )
    if seen.damaged:
        lines.append(f"left out, since they cannot be read: {few(seen.damaged)}")
    return lines


def names_of(opened: Opened) -> str:
    """What the labels belong to, for a heading.

    Args:
        opened: A network and its images.
    """
    return str(opened.data.root or opened.task.labels.name)
