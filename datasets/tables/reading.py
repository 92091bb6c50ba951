"""Reads tables in Parquet and Arrow files, a few rows at a time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError

ENDINGS = (".parquet", ".arrow")
ROWS = 64  # read at once
BUFFER = 1 << 20  # bytes; without it a whole group of rows is read at once
FILE_MAGIC = b"ARROW1"  # of Arrow files with an index at their end; others are streams


def need_pyarrow() -> Any:
    """The library that reads Parquet and Arrow.

    Raises:
        DataConfigError: It is not installed.
    """
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise DataConfigError(
            f"Parquet and Arrow files are read by pyarrow, which is not installed: pip install 'foveate[hub]' ({error})"
        ) from error


def read_schema(path: Path) -> Any:
    """The schema of a table: names and types of its columns, and metadata.

    Args:
        path: A Parquet or Arrow file.

    Raises:
        DataError: It is damaged.
        DataConfigError: pyarrow is not installed.
    """
    library = need_pyarrow()
    with _explained(path, library):
        if path.suffix == ".parquet":
            return library.parquet.read_schema(path)
        with library.memory_map(str(path)) as mapped:
            return _arrow(library, path, mapped).schema


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """The rows of a table in record batches of at most 64, so that memory holds a few rows at a time.

    Args:
        path: A Parquet or Arrow file.
        columns: The columns to read.

    Raises:
        DataError: It is damaged.
    """
    library = need_pyarrow()
    with _explained(path, library):
        if path.suffix == ".parquet":
            with library.parquet.ParquetFile(path, buffer_size=BUFFER) as file:
                yield from file.iter_batches(batch_size=ROWS, columns=list(columns))
            return
        with library.memory_map(str(path)) as mapped:
            for batch in _arrow_batches(_arrow(library, path, mapped)):
                for start in range(0, batch.num_rows, ROWS):
                    yield batch.slice(start, ROWS).select(list(columns))


def _arrow(library: Any, path: Path, mapped: Any) -> Any:
    with path.open("rb") as file:
        indexed = file.read(len(FILE_MAGIC)) == FILE_MAGIC
    return library.ipc.open_file(mapped) if indexed else library.ipc.open_stream(mapped)


def _arrow_batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        yield from reader


@contextmanager
def _explained(path: Path, library: Any) -> Iterator[None]:
    try:
        yield
    except (library.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as a table: {type(error).__name__}: {text}") from error
