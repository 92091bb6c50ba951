"""The trace of a training: for each batch its loss, norms and images, exactly, so that it can be verified later.

runs/NAME/0001/trace.csv   step, epoch, batch, loss, gradient, weights, images

Numbers are written as hexadecimal floating-point numbers, which lose nothing. `images` lists each image's file with a
checksum of its pixels as the network got them, so a changed file shows where it was used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

TRACE = "trace.csv"


@dataclass(frozen=True)
class Row:
    """One batch of a training.

    Attributes:
        step: Optimiser steps after it.
        epoch: Counted from 0.
        batch: Of the epoch, counted from 0.
        loss: The loss, as float.hex.
        gradient: Norm of the gradients at the optimiser step that ended with this batch, as float.hex; "" without one.
        weights: Norm of the weights after it, as float.hex; "" without an optimiser step.
        images: FILE=CHECKSUM of each image, separated by "|".
    """

    step: int
    epoch: int
    batch: int
    loss: str
    gradient: str
    weights: str
    images: str

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and batch."""
        return self.epoch, self.batch


def append_row(run: Path, row: Row) -> None:
    """Append a row to the trace of a run.

    Args:
        run: The run directory.
        row: The row.

    Raises:
        OSError: It cannot be written.
    """
    path = run / TRACE
    begins = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if begins:
            writer.writeheader()
        writer.writerow(asdict(row))


def read_trace(run: Path) -> dict[tuple[int, int], Row]:
    """The rows of a run by epoch and batch; of batches that were read twice, because a training went on, the later one.

    Args:
        run: The run directory.
    """
    rows: dict[tuple[int, int], Row] = {}
    path = run / TRACE
    if not path.is_file():
        return rows
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            row = _parse(line)
            if row is not None:
                rows[row.place] = row
    return rows


def _parse(line: Mapping[str, str | None]) -> Row | None:
    """A row; None for a line that was cut by a kill or a full disk."""
    try:
        step, epoch, batch = (int(line[name] or "") for name in ("step", "epoch", "batch"))
        texts = [line[name] for name in ("loss", "gradient", "weights", "images")]
        for text in texts[:3]:
            float.fromhex(text or "0x0p+0")
    except (TypeError, ValueError, KeyError):
        return None
    loss, gradient, weights, images = texts
    if loss is None or gradient is None or weights is None or images is None:
        return None
    return Row(step, epoch, batch, loss, gradient, weights, images)


def checksums(batch: Mapping[str, Any]) -> str:
    """FILE=CHECKSUM of each image of a batch.

    Args:
        batch: As a data module yields it; "" for a batch of another form.
    """
    image, paths = batch.get("image"), batch.get("path")
    if not isinstance(image, Tensor) or not isinstance(paths, list | tuple) or len(paths) != len(image):
        return ""
    sums = _sums(image)
    for name in ("mask", "label"):
        if isinstance(batch.get(name), Tensor):
            sums = [3 * one + other for one, other in zip(sums, _sums(batch[name]), strict=True)]
    return "|".join(f"{path}={one % 2**64:x}" for path, one in zip(paths, sums, strict=True))


def _sums(tensor: Tensor) -> list[int]:
    """The sum of each sample's bytes, eight at a time, which wraps around."""
    flat = tensor.detach().reshape(len(tensor), -1).contiguous().view(torch.uint8)
    if flat.shape[1] % 8 == 0 and flat.numel():
        return [int(one) for one in flat.view(torch.int64).sum(1).tolist()]
    return [int(one) for one in flat.sum(1, dtype=torch.int64).tolist()]


def norm_of(parameters: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of tensors together.

    Args:
        parameters: Such as weights; none gives 0.
    """
    listed = [parameter.detach() for parameter in parameters]
    return torch.nn.utils.get_total_norm(listed) if listed else torch.zeros(())


def files_that_differ(first: str, second: str) -> list[str]:
    """The files whose checksum differs between two lists, or that are in one of them only.

    Args:
        first: The images of a row.
        second: Those of another.

    Example:
        >>> files_that_differ("a.png=1|b.png=2", "a.png=1|b.png=3")
        ['b.png']
    """
    one, other = (dict(part.rpartition("=")[::2] for part in text.split("|") if part) for text in (first, second))
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
