"""Brings the images of all processes together, each once and in the order of the data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch.distributed as dist
from torch.utils.data import DistributedSampler

from foveate.datasets.labels import LabelSet
from foveate.pipeline.metrics.report import distinct
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord, Record
from foveate.pipeline.per_image.rows import LABELLED, Columns, ImageRows

Share = tuple[list[str], Columns]


def create_record(rows: ImageRows, labels: Any, trainer: L.Trainer, stage: str) -> Record | None:
    """The record of an evaluation; None in all processes but the first, and where nothing is labelled.

    Every process has to call it.

    Args:
        rows: The images of this process.
        labels: The classes, of pixels or of images.
        trainer: The trainer that evaluates.
        stage: val or test.
    """
    shares = _gather((rows.paths, rows.columns()))
    full = [share for share in shares if share[0]]
    if not full or not any(columns[LABELLED].any() for _, columns in full):
        return None
    loader: Any = trainer.val_dataloaders if stage == "val" else trainer.test_dataloaders
    paths, columns, indices = _in_order(shares, loader, blanks=isinstance(labels, LabelSet))
    images = below(paths, getattr(trainer.datamodule, "root", None))  # type: ignore[attr-defined]
    groups = _groups(trainer.datamodule, stage, indices)  # type: ignore[attr-defined]
    columns.pop(LABELLED)
    if not isinstance(labels, LabelSet):
        return LabelRecord(images, groups, tuple(distinct(labels.names)), **columns)
    levels = {level: tuple(given) for level, given in labels.levels.items()}
    columns["counts"] = columns["counts"].astype(np.uint32)
    return PixelRecord(images, groups, tuple(distinct(labels.names)), levels, **columns)


def _gather(share: Share) -> list[Share]:
    """The shares of all processes, in the first one; nothing in the others."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return [share]
    shares: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(share, shares, dst=0)
    return shares or []


def _in_order(shares: Sequence[Share], loader: Any, *, blanks: bool) -> tuple[list[str], Columns, list[int]]:
    """Paths, columns and places in the data set, of each image once.

    A sampler for several processes deals images out in turn, and fills up the last turn with images that another
    process has; so the turn of an image tells its place, and places beyond the last are left out. Without such a
    sampler, images without a label are left out, since a blank has none.

    Args:
        shares: Of each process.
        loader: Of the evaluation.
        blanks: Whether an image without a label may be one of the data set, such as one that is void altogether.
    """
    count = len(shares)
    places = np.concatenate([np.arange(len(paths)) * count + rank for rank, (paths, _) in enumerate(shares)])
    names = [name for _, columns in shares for name in columns]
    together = {
        name: np.concatenate([columns[name] for _, columns in shares if name in columns])
        for name in dict.fromkeys(names)
    }
    paths = [path for share, _ in shares for path in share]
    keep = np.ones(len(paths), dtype=bool) if blanks else together[LABELLED]
    if count > 1 and blanks:
        dealt = isinstance(getattr(loader, "sampler", None), DistributedSampler)
        keep = places < len(loader.dataset) if dealt else together[LABELLED]
    chosen = np.flatnonzero(keep)[np.argsort(places[keep], kind="stable")]
    columns = {name: column[chosen] for name, column in together.items()}
    return [paths[place] for place in chosen], columns, places[chosen].tolist()


def _groups(data: Any, stage: str, indices: Sequence[int]) -> list[str]:
    """The group of each image; empty if the data set names none."""
    find = getattr(data, "groups_of", None)
    groups = list(find(stage)) if find is not None else []
    return [groups[index] for index in indices] if groups and max(indices) < len(groups) else []


def below(paths: Sequence[str], root: str | Path | None) -> list[str]:
    """Paths relative to a folder, with `/`; as they are where they lie elsewhere.

    Args:
        paths: Of images.
        root: The folder; None leaves them as they are.

    Example:
        >>> below(["/data/val/a.png", "digits/val/7"], "/data")
        ['val/a.png', 'digits/val/7']
    """
    if root is None:
        return list(paths)
    start = f"{Path(root).as_posix().rstrip('/')}/"
    return [path.removeprefix(start) for path in paths]
