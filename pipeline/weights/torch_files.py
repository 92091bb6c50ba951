"""Reads files of `torch.save` without running code in them."""

from __future__ import annotations

import io
import pickle
import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import first_line
from foveate.pipeline.weights.unpickling import InertUnpickler

MAGIC = 0x1950A86A20F9469CFC6C  # the first number in a file written by PyTorch before 1.6
PROTOCOL = 1001


def read_torch_file(path: Path) -> Any:
    """Read a file that `torch.save` or `pickle.dump` wrote.

    PyTorch's own restricted reader is tried first, which accepts tensors and containers; then ours, which also reads
    the content of other objects.

    Args:
        path: The file.

    Raises:
        CheckpointError: The file is damaged, or reading it would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols that it does not know
            return torch.load(path, "cpu", weights_only=True)
    except Exception:  # files that are not pickles raise any exception: IndexError, struct.error, UnicodeDecodeError
        pass
    try:
        with path.open("rb") as file:
            return _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(file, path.stat().st_size)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_why_refused(error)}") from error
    except Exception as error:  # damaged pickles raise any exception here too
        raise CheckpointError(f"{path}: not a readable weights file: {first_line(error)}") from error


def _why_refused(error: pickle.UnpicklingError) -> str:
    wanted = re.search(r"asks for (\S+)", str(error))
    if wanted:
        return (
            f"refused, since reading it would run code: it asks for {wanted[1].rstrip(',')}. If you trust whoever made "
            "it, read it elsewhere and save its state_dict alone, as safetensors"
        )
    return (
        "not a readable weights file: neither safetensors nor a PyTorch checkpoint "
        f"({str(error).splitlines()[0] if str(error) else 'damaged'})"
    )


def _read_zip(path: Path) -> Any:
    """The format since PyTorch 1.6: a zip archive with a pickle, and one file of bytes per storage."""
    with zipfile.ZipFile(path) as archive:
        entries = {name.partition("/")[2]: name for name in archive.namelist()}
        if "byteorder" in entries and archive.read(entries["byteorder"]).decode() != sys.byteorder:
            raise pickle.UnpicklingError("its numbers have the byte order of another machine")
        loaded: dict[str, Tensor] = {}

        def load_storage(pid: tuple[Any, ...]) -> Tensor:
            kind, key = pid[1], str(pid[2])
            if key not in loaded:
                info = archive.getinfo(entries[f"data/{key}"])
                if info.file_size > path.stat().st_size:
                    raise pickle.UnpicklingError(f"damaged: storage {key} is larger than the file")
                loaded[key] = _as_tensor(archive.read(info), kind.dtype)
            return loaded[key]

        with archive.open(entries["data.pkl"]) as file:
            return InertUnpickler(file, load_storage).load()


def _as_tensor(data: bytes, dtype: torch.dtype) -> Tensor:
    if not data:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype)


def _read_stream(file: io.BufferedIOBase, size: int) -> Any:
    """The format before PyTorch 1.6: several pickles, then the bytes of each storage; or a single pickle."""
    first = InertUnpickler(file, _no_storage, _read_bytes).load()
    if first != MAGIC:
        return first
    if InertUnpickler(file, _no_storage).load() != PROTOCOL:
        raise pickle.UnpicklingError("damaged: of an unknown protocol")
    InertUnpickler(file, _no_storage).load()  # sizes of numeric types on the machine that wrote it
    storages: dict[str, Tensor] = {}
    content = InertUnpickler(file, _reserve(storages, size)).load()
    for key in InertUnpickler(file, _no_storage).load():
        _fill(storages[key], file)
    return content


def _read_bytes(data: bytes) -> Any:
    return _read_stream(io.BytesIO(data), len(data))


def _reserve(storages: dict[str, Tensor], size: int) -> Callable[[tuple[Any, ...]], Tensor]:
    """Allocates the storages, whose values follow the pickle; never more bytes than the file has."""

    def reserve(pid: tuple[Any, ...]) -> Tensor:
        kind, key, count = pid[1], str(pid[2]), int(pid[4])
        if not 0 <= count * kind.dtype.itemsize <= size:
            raise pickle.UnpicklingError(f"damaged: storage {key} is larger than the file")
        if key not in storages:
            storages[key] = torch.zeros(count, dtype=kind.dtype)
        whole = storages[key]
        if len(pid) > 5 and pid[5]:  # the earliest versions: a view of another storage
            _, start, length = pid[5]
            return whole[start : start + length]
        return whole

    return reserve


def _fill(storage: Tensor, file: io.BufferedIOBase) -> None:
    (count,) = struct.unpack("<q", file.read(8))
    data = file.read(storage.nbytes)
    if count != len(storage) or len(data) != storage.nbytes:
        raise pickle.UnpicklingError("damaged: it ends before the numbers do")
    if data:
        storage.copy_(torch.frombuffer(bytearray(data), dtype=storage.dtype))


def _no_storage(pid: tuple[Any, ...]) -> Tensor:
    raise pickle.UnpicklingError("damaged: a tensor before the checkpoint begins")
