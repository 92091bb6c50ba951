"""The load test itself, and that a server which ends under load answers every request that was sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from foveate.benchmarks.serving import encoded, for_seconds, measure, run
from foveate.pipeline.predictor import Segmentation
from foveate.tests.pipeline.serving.running import by_brightness, model, running

IMAGE = encoded(40, 60)


def steady(images: Sequence[np.ndarray]) -> list[Segmentation]:
    """A network that takes its time."""
    time.sleep(0.02)
    return by_brightness(images)


def test_nothing_is_lost_when_the_server_ends_under_load() -> None:
    with running(model(steady), linger=0.3) as one:
        address = one.url.removeprefix("http://")
        rows = run(address, IMAGE, 0.4, lambda: setattr(one.server, "should_exit", True))
    assert [row[0] for row in rows] == ["1", "8", "32", "32, SIGTERM"]
    for row in rows[:2] + rows[3:]:
        assert int(row[4]) > 0, row
        assert row[6] == "0", row
    assert rows[1][5] == "0"


def test_a_request_without_an_answer_is_lost_and_a_refused_connection_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        address = f"127.0.0.1:{rude.getsockname()[1]}"

        def hang_up() -> None:
            taken, _ = rude.accept()
            with taken:
                taken.recv(1000)

        thread = threading.Thread(target=hang_up)
        thread.start()
        left = iter(range(1))
        load = measure(address, IMAGE, 1, lambda: next(left, None) is not None)
        thread.join()
    assert (len(load.lost), load.statuses) == (1, [])
    assert measure(address, IMAGE, 2, for_seconds(5)).lost == []
