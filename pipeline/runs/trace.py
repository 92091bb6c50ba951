"""The trace of a training: for each batch its loss, norms and images, exactly, so that it can be verified later.

runs/NAME/0001/trace.csv   step, epoch, batch, loss, gradient, weights, images

Numbers are written as hexadecimal floating-point numbers, which lose nothing. `images` lists each image's file with a
checksum of its pixels as the network got them, so a changed file shows where it was used.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import quote, unquote

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


def mend_end(run: Path) -> None:
    """End the last line of a trace, which a kill may have cut, so that the next row is a line of its own.

    Args:
        run: The run directory.

    Raises:
        OSError: It cannot be written.
    """
    path = run / TRACE
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\r\n")


def read_trace(run: Path) -> dict[tuple[int, int], Row]:
    """The rows of a run by epoch and batch; of batches that were read twice, because a training went on, the later one.

    Args:
        run: The run directory.
    """
    rows: dict[tuple[int, int], Row] = {}
    path = run / TRACE
    if not path.is_file():
        return rows
    names = [field.name for field in fields(Row)]
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for line in file:  # each by itself: a quote in one that was cut would take the next ones with it
            row = _parse(dict(zip(names, next(csv.reader([line]), []), strict=False)))
            if row is not None:
                rows[row.place] = row
    return rows


def _parse(line: Mapping[str, str]) -> Row | None:
    """A row; None for the heading, and for a line that was cut by a kill or a full disk."""
    try:
        step, epoch, batch = (int(line[name]) for name in ("step", "epoch", "batch"))
        row = Row(step, epoch, batch, line["loss"], line["gradient"], line["weights"], line["images"])
        for number in (row.loss, row.gradient or "0x0p+0", row.weights or "0x0p+0"):
            float.fromhex(number)
    except (ValueError, KeyError):
        return None
    return row


@dataclass(frozen=True)
class Checksums:
    """The checksums of a batch, still on its device: to read them would wait for all that the device has to do.

    Attributes:
        paths: The file of each image.
        sums: A number for each image, of its pixels and of its mask or label.
    """

    paths: Sequence[str]
    sums: Sequence[Tensor]

    def __str__(self) -> str:
        """FILE=CHECKSUM of each image."""
        columns = [[int(one) for one in part.tolist()] for part in self.sums]
        mixed = [sum(3**place * one for place, one in enumerate(numbers)) for numbers in zip(*columns, strict=True)]
        return "|".join(f"{_quoted(path)}={one % 2**64:x}" for path, one in zip(self.paths, mixed, strict=True))


def _quoted(path: str) -> str:
    """A path without what separates rows and images."""
    return quote(path, safe="".join(map(chr, range(33, 127))).replace("|", "").replace("%", "") + " ")


def checksums(batch: object) -> Checksums | None:
    """The checksums of the images of a batch, and of their masks or labels.

    Args:
        batch: As a data module yields it; None for a batch of another form.
    """
    if not isinstance(batch, Mapping):
        return None
    image, paths = batch.get("image"), batch.get("path")
    if not isinstance(image, Tensor) or not isinstance(paths, list | tuple) or len(paths) != len(image):
        return None
    parts = [part for part in (batch.get("mask"), batch.get("label")) if isinstance(part, Tensor)]
    return Checksums(list(map(str, paths)), [_sums(part) for part in (image, *parts)])


def _sums(tensor: Tensor) -> Tensor:
    """The sum of each sample's bytes, eight at a time, which wraps around."""
    flat = tensor.detach().reshape(len(tensor), -1).contiguous().view(torch.uint8)
    if flat.shape[1] % 8 == 0 and flat.numel():
        return flat.view(torch.int64).sum(1)
    return flat.sum(1, dtype=torch.int64)


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
    return [unquote(name) for name in {**one, **other} if one.get(name) != other.get(name)]
