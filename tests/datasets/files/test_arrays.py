"""Arrays are read by one thread at a time: Python 3.11's parser, which reads their headers, fails otherwise."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveate.datasets.files import arrays
from foveate.datasets.files.kinds import image_kind
from foveate.datasets.files.stored_image import decode_stored

NUMBERS = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3)


@pytest.fixture
def most_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    inside, most, load = [0], [0], np.load

    def watched(*given: Any, **named: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        try:
            return load(*given, **named)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(arrays.np, "load", watched)
    return most


def test_threads_take_turns(tmp_path: Path, most_at_once: list[int]) -> None:
    path = tmp_path / "a.npy"
    np.save(path, NUMBERS)
    content = path.read_bytes()
    jobs = [lambda: decode_stored(content, "a.npy", max_pixels=100).values.shape, lambda: image_kind(path).height] * 10
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: job(), jobs))
    assert found == [(4, 5, 3), 4] * 10
    assert most_at_once == [1]


def test_an_array_of_objects_is_refused() -> None:
    kept = io.BytesIO()
    np.save(kept, np.array([{}], dtype=object))
    with pytest.raises(ValueError):
        arrays.load_array(kept.getvalue())
