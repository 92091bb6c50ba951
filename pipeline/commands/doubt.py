"""`foveate data doubt`: which labels a trained network contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from foveate.datasets.errors import DataConfigError
from foveate.pipeline.answering import answer

Split = Literal["train", "val"]
COUNT = 60


def doubt(
    target: str,
    split: Split = "train",
    folds: int | None = None,
    count: int = COUNT,
    min_area: int | None = None,
    band: int | None = None,
    out: str | None = None,
    json: str | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Rank the labels that a trained network contradicts with confidence: regions of label maps, or whole images.

    Writes a page with pictures, a table with boxes, and a list of the images to label again. A network may have learned
    the faults of its own training images: --folds trains one without each part, and asks it about that part.

    Example: foveate data doubt runs/latest/checkpoints/best.ckpt --split val

    Args:
        target: A checkpoint, best or last. With --folds a recipe, or a checkpoint whose recipe is taken.
        split: Which labels are asked about, train or val; with --folds those of train.
        folds: Train this many networks, each without a part of the training images. Run again to go on.
        count: How many are shown with pictures.
        min_area: Smallest region in pixels; one of each 5000 of the image if not given.
        band: Pixels along the border of a region that do not count; one of each 300 of the image's short side, at least
            2, if not given.
        out: Folder to write to; if not given doubt/SPLIT in the run of the checkpoint, with --folds doubts/RECIPE.
        json: File for all figures; - prints them, and everything else goes to stderr.
        flags: Not given by name: flags of the recipe, such as --data.root DIR, and with --folds --trainer.max_steps N.
    """
    if count < 0 or (min_area is not None and min_area < 1) or (band is not None and band < 0):
        raise DataConfigError(f"count and band are at least 0, min_area at least 1, not {count}, {band} and {min_area}")
    if folds is not None and folds < 2:
        raise DataConfigError(f"folds is at least 2, not {folds}")
    if folds is not None and split != "train":
        raise DataConfigError("--folds asks about the training images: leave --split out")
    from foveate.pipeline.commands.open_data import is_recipe
    from foveate.pipeline.doubt.run import Question, ask

    question = Question(
        target=target,
        is_recipe=is_recipe(target),
        split=split,
        folds=folds,
        count=count,
        min_area=min_area,
        band=band,
        out=None if out is None else Path(out).expanduser(),
        flags=list(flags),
    )
    answer(json, lambda: ask(question))
