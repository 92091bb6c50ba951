"""Downloads a file: goes on where it stopped, tries again, verifies, and puts it in place as a whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from foveate.datasets.files.locking import alone
from foveate.datasets.progress import bar
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import first_line

WAIT = 30  # seconds without data after which a connection counts as lost
PAUSES = (1.0, 3.0)  # seconds before the second and the third attempt
CHUNK = 1 << 20
PART, MARK = ".part", ".etag"  # endings of a download that is not complete, and of what identifies the server's file


class _AgainError(Exception):
    """An attempt failed in a way that another may not."""


def download_file(url: str, target: Path, sha256: str = "", pause: Callable[[float], None] | None = None) -> None:
    """Download a file unless it is there; other processes wait meanwhile.

    What an interrupted download left is not fetched again. A broken connection and an error of the server (5xx) are
    tried three times.

    Args:
        url: Its address.
        target: Where to put it; folders are made.
        sha256: The first digits of its SHA-256; empty for one that is not known.
        pause: Waits so many seconds; `time.sleep` if not given.

    Raises:
        CheckpointError: It cannot be fetched, or is not the file that the digits belong to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.with_name(target.name + ".lock")):
            if not target.is_file():
                _attempt_often(url, target, sha256, pause or time.sleep)
    except OSError as error:
        raise CheckpointError(f"{url}: cannot be fetched ({first_line(error)})") from error


def check_digits(path: Path, sha256: str) -> None:
    """Compare a file with the first digits of a SHA-256.

    Args:
        path: The file.
        sha256: Digits; empty ones fit every file.

    Raises:
        CheckpointError: It is another file.
    """
    if not sha256:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise CheckpointError(
            f"{path}: not the file that was published: its SHA-256 begins with {found[: len(sha256)]}, not {sha256}"
        )


def _attempt_often(url: str, target: Path, sha256: str, pause: Callable[[float], None]) -> None:
    part = target.with_name(target.name + PART)
    for number in range(len(PAUSES) + 1):
        try:
            resumed = _transfer(url, part)
            try:
                check_digits(part, sha256)
            except CheckpointError:
                _forget(part)
                if resumed:
                    raise _AgainError("what was left of an earlier download belongs to another file") from None
                raise
            part.replace(target)
            _forget(part)
            return
        except (_AgainError, urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if number == len(PAUSES) or not _is_passing(error):
                raise CheckpointError(f"{url}: cannot be fetched ({_reason(error)})") from error
            pause(PAUSES[number])


def _is_passing(error: Exception) -> bool:
    """Whether another attempt may succeed: not if the server says no, and not without a network."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code in (408, 416, 429)
    return not (isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError | str))


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection: {error.reason}"
    return str(error) if isinstance(error, _AgainError) else first_line(error)


def _transfer(url: str, part: Path) -> bool:
    """Fetch what is missing of a file, and say whether something was there already.

    Args:
        url: Its address.
        part: The incomplete file.

    Raises:
        _AgainError: The connection ended too early, or the file has changed.
    """
    have = part.stat().st_size if part.is_file() else 0
    mark = part.with_name(part.name + MARK)
    headers = {"User-Agent": "foveate"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if mark.is_file():
            headers["If-Range"] = mark.read_text(encoding="utf-8")
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=WAIT) as answer:
            _check_scheme(url, answer.geturl())
            resumed = have > 0 and answer.status == http.client.PARTIAL_CONTENT
            have = have if resumed else 0
            if etag := answer.headers.get("ETag"):
                mark.write_text(etag, encoding="utf-8")
            else:
                mark.unlink(missing_ok=True)
            _receive(answer, part, have)
            return resumed
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            _forget(part)  # as long as the file already, or longer
        raise


def _receive(answer: Any, part: Path, have: int) -> None:
    """Write an answer behind the first bytes of a file."""
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length is not None else 0
    shown = bar(f"fetching {part.name.removesuffix(PART)}") if total > CHUNK else nullcontext(_quiet)
    with shown as advance, part.open("ab" if have else "wb") as file:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            have += len(chunk)
            advance(have, total)
        file.flush()
        os.fsync(file.fileno())
    if total and have != total:
        raise _AgainError(f"the download ended after {have} of {total} bytes")


def _quiet(done: int, total: int) -> None:
    """Show nothing."""


def _check_scheme(asked: str, given: str) -> None:
    if asked.startswith("https://") and not given.startswith("https://"):
        raise CheckpointError(f"{asked}: the server leads to an address without encryption; refused")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    part.with_name(part.name + MARK).unlink(missing_ok=True)
