"""Records as files: CSV, or Parquet where the name ends so; one line for each image."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveate.pipeline.errors import UnusableDataError
from foveate.pipeline.files import replacing
from foveate.pipeline.per_image.parquet import PARQUET, check_parquet
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord, Record

ENDING = "-images.csv"  # of a record beside a score file
COUNTED = re.compile(r"(?:([^:/]+):)?(tp|fn|fp)/(.+)")
SINGLE = ("image", "group")
Table = dict[str, Any]  # a sequence for each column


def write_record(path: Path, record: Record) -> None:
    """Write a record as a whole or not at all.

    Args:
        path: The file; Parquet if its name ends with .parquet, else CSV.
        record: Of a data set.

    Raises:
        ConfigError: Parquet is asked for, and pyarrow is not installed.
    """
    table = as_table(record)
    with replacing(path) as draft:
        if path.suffix == PARQUET:
            check_parquet(path)
            from pyarrow import parquet  # late, and an extra
            from pyarrow import table as arrow_table

            parquet.write_table(arrow_table(table), draft)
        else:
            with draft.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(table)
                writer.writerows(zip(*map(_cells, table.values()), strict=True))


def record_beside(path: Path) -> Path:
    """The record's file beside a score file.

    Args:
        path: The score file.
    """
    return path.with_name(f"{path.stem}{ENDING}")


def as_table(record: Record) -> Table:
    """The columns of a record by name, as its file holds them.

    Args:
        record: Of a data set.
    """
    groups = {"group": list(record.groups)} if record.groups else {}
    start: Table = {"image": list(record.images), **groups}
    if isinstance(record, LabelRecord):
        return {
            **start,
            "label": [record.names[number] for number in record.label],
            "predicted": [record.names[number] for number in record.predicted],
            **{name: getattr(record, name) for name in ("rank", "loss", "confidence")},
        }
    right, labelled, predicted = record.parts()
    counted = {
        f"{'' if level is None else f'{level}:'}{kind}/{name}": values[:, place]
        for place, (level, name) in enumerate(_titles(record))
        for kind, values in (("tp", right), ("fn", labelled - right), ("fp", predicted - right))
    }
    means = {"miou": record.miou(), "accuracy": record.accuracy(), "loss": record.loss, "confidence": record.confidence}
    return {**start, **means, "pixels": record.pixels(), **counted}


def _titles(record: PixelRecord) -> list[tuple[str | None, str]]:
    coarse = [(level, group) for level, groups in record.levels.items() for group in groups]
    return [*((None, name) for name in record.names), *coarse]


def _cells(column: Any) -> Iterable[Any]:
    """Values as CSV shows them: floats with six significant digits, an empty cell for NaN."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return ["" if math.isnan(value) else f"{value:.6g}" for value in column.tolist()]
    cells: Iterable[Any] = column.tolist() if isinstance(column, np.ndarray) else column
    return cells


def read_record(path: Path) -> Record:
    """The record in a file.

    Args:
        path: CSV or Parquet.

    Raises:
        UnusableDataError: There is no such file, or it holds no record.
    """
    try:
        table = _read_parquet(path) if path.suffix == PARQUET else _read_csv(path)
        return _pixels(table) if any(map(COUNTED.fullmatch, table)) else _labels(table)
    except (OSError, KeyError, ValueError, IndexError) as error:
        hint = "write one with foveate validate --per_image"
        raise UnusableDataError(f"{path}: holds no record of images ({_why(error)}); {hint}") from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return f"no column {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:100]


def _read_csv(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file), [])
        if "image" not in names:
            raise KeyError("image")
        texts = {"image", "group", "label", "predicted"}
        if any(COUNTED.fullmatch(name) for name in names):
            return _read_numbers(file, names)
        rows = list(zip(*csv.reader(file), strict=True)) or [()] * len(names)
    return {name: list(column) if name in texts else _floats(column) for name, column in zip(names, rows, strict=True)}


def _read_numbers(file: Any, names: Sequence[str]) -> Table:
    """Columns of which all but image and group are numbers, in blocks of lines, so that few texts are held at once."""
    texts = [place for place, name in enumerate(names) if name in SINGLE]
    numbers = [place for place, name in enumerate(names) if name not in SINGLE]
    kept: list[list[str]] = [[] for _ in texts]
    blocks = []
    for block in _blocks(csv.reader(file)):
        for column, place in zip(kept, texts, strict=True):
            column += [row[place] for row in block]
        blocks.append(np.array([_floats([row[place] for place in numbers]) for row in block]))
    values = np.concatenate(blocks) if blocks else np.zeros((0, len(numbers)))
    named = {names[place]: column for place, column in zip(texts, kept, strict=True)}
    return {**named, **{names[place]: values[:, number] for number, place in enumerate(numbers)}}


def _blocks(rows: Iterable[list[str]], size: int = 1000) -> Iterable[list[list[str]]]:
    block = []
    for row in rows:
        block.append(row)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def _floats(cells: Iterable[str]) -> Any:
    return np.array([float(cell) if cell else math.nan for cell in cells])


def _read_parquet(path: Path) -> Table:
    check_parquet(path)
    from pyarrow import ArrowInvalid, parquet

    try:
        found = parquet.read_table(path)
    except ArrowInvalid as error:
        raise ValueError(str(error)) from error
    columns = {name: found.column(name) for name in found.column_names}
    return {
        name: column.to_pylist() if str(column.type) == "string" else column.to_numpy()
        for name, column in columns.items()
    }


def _pixels(table: Mapping[str, Any]) -> PixelRecord:
    found = [match for name in table if (match := COUNTED.fullmatch(name)) and match[2] == "tp"]
    names = tuple(match[3] for match in found if match[1] is None)
    levels: dict[str, list[str]] = {}
    for match in found:
        if match[1] is not None:
            levels.setdefault(match[1], []).append(match[3])
    starts = [("" if match[1] is None else f"{match[1]}:", match[3]) for match in found]
    named = {kind: [table[f"{start}{kind}/{name}"] for start, name in starts] for kind in ("tp", "fn", "fp")}
    tp, fn, fp = map(_column_stack, named.values())
    return PixelRecord(
        images=list(table["image"]),
        groups=list(table.get("group", ())),
        names=names,
        levels={level: tuple(groups) for level, groups in levels.items()},
        counts=np.concatenate([tp, tp + fn, tp + fp], axis=1),
        loss=np.asarray(table["loss"], dtype=np.float32),
        confidence=np.asarray(table["confidence"], dtype=np.float32),
    )


def _column_stack(columns: Sequence[Any]) -> Any:
    return np.stack([np.asarray(column).astype(np.uint32) for column in columns], axis=1)


def _labels(table: Mapping[str, Any]) -> LabelRecord:
    label, predicted = list(table["label"]), list(table["predicted"])
    names = tuple(sorted({*label, *predicted}))
    numbers = {name: number for number, name in enumerate(names)}
    return LabelRecord(
        images=list(table["image"]),
        groups=list(table.get("group", ())),
        names=names,
        label=np.array([numbers[name] for name in label], dtype=np.int32),
        predicted=np.array([numbers[name] for name in predicted], dtype=np.int32),
        rank=np.asarray(table["rank"]).astype(np.int32),
        loss=np.asarray(table["loss"], dtype=np.float32),
        confidence=np.asarray(table["confidence"], dtype=np.float32),
    )
