"""The C++ is compiled once for all threads, and its absence is no error."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foveate.datasets.files.png import native
from foveate.plugins.ops.native import loading


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loading._answers.clear()
    yield
    loading._answers.clear()


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_several_threads_wait_for_one_compilation(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOVEATE_NATIVE", raising=False)
    with ThreadPoolExecutor(3) as pool:
        found = [future.result() for future in [pool.submit(native) for _ in range(3)]]
    assert found[0] is not None
    assert all(one is found[0] for one in found)
    assert [record.message for record in caplog.records] == [
        "compiling the reader of PNG files for this machine, once: about 3 seconds"
    ]
    assert len(list((tmp_path / "foveate").iterdir())) == 1


def test_without_a_compiler_or_switched_off_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert native() is None
    loading._answers.clear()
    monkeypatch.setenv("FOVEATE_NATIVE", "0")
    assert native() is None
