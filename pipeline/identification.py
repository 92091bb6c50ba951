"""Identifies files that are not readable weights by their first bytes."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

LARGEST_HEADER = 100_000_000  # bytes of the header of a safetensors file; the limit of its own reader
SIGNATURES = {
    b"\x89HDF": "an HDF5 file (Keras, TensorFlow); only safetensors and PyTorch checkpoints are read",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"\x93NUMPY": "a NumPy array without a name",
    b"\x89PNG": "an image (PNG)",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"%PDF": "a PDF document",
}


def is_safetensors(path: Path) -> bool:
    """Whether a file starts like safetensors: the length of the header, then the header as JSON.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return len(start) == 9 and start[8:] == b"{" and 2 <= length <= min(LARGEST_HEADER, path.stat().st_size - 8)


def what_else(path: Path) -> str | None:
    """What a file is if it is not a weights file, as the end of a sentence; None if it may be one.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        start = file.read(512)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "the file is empty"
    if text.startswith(b"version https://git-lfs"):
        return f"it is a pointer of Git LFS{_pointed(start)}; fetch the file itself: git lfs pull"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page, not the file that it links to; download the file itself"
    for signature, name in SIGNATURES.items():
        if start.startswith(signature):
            return f"it is {name}" if name.startswith("a") else f"it was {name}"
    if start[257:262] == b"ustar":
        return "it is a tar archive; unpack it first"
    if start.startswith(b"PK"):
        return _what_archive(path)
    if path.suffix == ".onnx":
        return "it is an ONNX model; only safetensors and PyTorch checkpoints are read"
    return _what_safetensors(path, start)


def _pointed(start: bytes) -> str:
    """The size of the file that a Git LFS pointer stands for, as the end of a sentence."""
    sizes = [line.split()[1] for line in start.decode("latin1").splitlines() if line.startswith("size ")]
    return f" that stands for {int(sizes[0]):,} bytes" if sizes and sizes[0].isdigit() else ""


def _what_archive(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return f"it is an archive whose end is missing, cut short after {path.stat().st_size:,} bytes; fetch it again"
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return (
            "it is a TorchScript archive, which holds a program beside the weights; save the weights alone: "
            "torch.save(torch.jit.load(FILE).state_dict(), OUT)"
        )
    if "data.pkl" in names:
        return _what_is_damaged(path)
    if names and all(name.endswith(".npy") for name in names):
        return "it is an archive of NumPy arrays (.npz); only safetensors and PyTorch checkpoints are read"
    return "it is a zip archive of something else; unpack it first"


def _what_is_damaged(path: Path) -> str | None:
    """Which tensor's bytes are not those that torch wrote, by the checksums in the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            first = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError) as error:
        return f"it is damaged ({type(error).__name__}); fetch it again"
    return None if first is None else f"it is damaged: the checksum of {first} is wrong; fetch it again"


def _what_safetensors(path: Path, start: bytes) -> str | None:
    length, size = int.from_bytes(start[:8], "little"), path.stat().st_size
    if start[8:9] == b"{" and 2 <= length <= LARGEST_HEADER and length + 8 > size:
        return f"it is a safetensors file cut short after {size:,} bytes; fetch it again"
    return None
