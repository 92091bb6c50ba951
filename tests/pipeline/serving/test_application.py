"""What a client gets, on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from foveate.datasets.labels import CAMVID
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.serving.application import Service, _Closing
from foveate.pipeline.serving.listening import listen
from foveate.tests.pipeline.predictor.models import photo
from foveate.tests.pipeline.serving.running import (
    Running,
    ask,
    by_brightness,
    encoded,
    form,
    model,
    picture,
    reason,
    running,
    until,
)

PHOTO = photo((40, 60))
IMAGE = encoded(PHOTO)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(model()) as one:
        yield one


def test_the_body_and_a_form_give_the_same_label_map(server: Running) -> None:
    status, content, kind = ask(f"{server.url}/predict", IMAGE)
    assert (status, kind) == (200, "image/png")
    expected = CAMVID.to_regular_ids()[by_brightness([PHOTO])[0].labels]
    assert np.array_equal(picture(content), expected)
    body, content_type = form("anything", IMAGE)
    assert ask(f"{server.url}/predict?output=labels", body, content_type=content_type)[1] == content


def test_other_outputs(server: Running) -> None:
    url = f"{server.url}/predict?output="
    result = by_brightness([PHOTO])[0]
    assert np.array_equal(picture(ask(f"{url}overlay", IMAGE)[1]), np.asarray(result.overlay()))
    assert (picture(ask(f"{url}confidence", IMAGE)[1]) == 128).all()
    told = json.loads(ask(f"{server.url}/predict", IMAGE, accept="application/json")[1])
    assert (told["height"], told["width"]) == (40, 60)
    found = {each["name"]: each["share"] for each in told["classes"]}
    assert found == {name: pytest.approx(share, abs=1e-6) for name, share in result.shares().items() if share}
    regions = json.loads(ask(f"{url}polygons", IMAGE)[1])
    assert {each["properties"]["class"] for each in regions["features"]} == set(found)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "holds no bytes"),
        (encoded(photo((80, 90)))[:700], 400, "truncated"),
        (encoded(photo((80, 90)), "JPEG")[:700], 400, "truncated"),
        (b"PK\x03\x04 no image at all", 415, "no image of a known format"),
        (encoded(np.zeros((200, 200, 3), np.uint8)), 413, "200 x 200 is more than"),
        (b"x" * 300_000, 413, "more than the 200,000 bytes allowed"),
    ],
)
def test_bad_input_is_refused_with_a_reason(server: Running, body: bytes, status: int, says: str) -> None:
    found, content, kind = ask(f"{server.url}/predict", body)
    assert (found, kind) == (status, "application/json")
    assert says in reason(content)
    assert "Traceback" not in reason(content)
    assert len(reason(content).splitlines()) == 1


def test_a_large_image_is_not_decoded() -> None:
    bomb = encoded(np.zeros((4000, 4000), np.uint8))  # 16 KB
    with running(model()) as one:
        start = time.perf_counter()
        assert ask(f"{one.url}/predict", bomb)[0] == 413
        assert time.perf_counter() - start < 2


def test_a_form_without_a_file_and_a_broken_form(server: Running) -> None:
    body, content_type = form("image", b"text", filename=None)
    status, content, _ = ask(f"{server.url}/predict", body, content_type=content_type)
    assert (status, "holds no file" in reason(content)) == (400, True)
    status, content, _ = ask(f"{server.url}/predict", body, content_type="multipart/form-data")
    assert (status, "cannot be read" in reason(content)) == (400, True)


def test_wrong_paths_methods_and_outputs_say_what_is_accepted(server: Running) -> None:
    assert ask(f"{server.url}/predictions", IMAGE)[0] == 404
    status, content, _ = ask(f"{server.url}/predict")
    assert (status, "POST /predict" in reason(content)) == (405, True)
    status, content, _ = ask(f"{server.url}/predict?output=overlya", IMAGE)
    assert (status, "did you mean 'overlay'" in reason(content)) == (400, True)


def test_health_and_metrics() -> None:
    with running(model()) as one:
        ask(f"{one.url}/predict", IMAGE)
        ask(f"{one.url}/predict", b"none")
        told = json.loads(ask(f"{one.url}/health")[1])
        assert (told["status"], told["classes"]) == ("ok", list(CAMVID.names))
        lines = ask(f"{one.url}/metrics")[1].decode().splitlines()
    assert 'foveate_requests_total{code="200"} 1' in lines
    assert 'foveate_requests_total{code="415"} 1' in lines
    assert "foveate_request_seconds_count 2" in lines
    assert "foveate_batch_size_sum 1.000000" in lines


def test_a_bug_is_told_without_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(images: object) -> object:
        raise ZeroDivisionError("a secret")

    with running(model(broken)) as one:
        status, content, _ = ask(f"{one.url}/predict", IMAGE)
    assert status == 500
    assert b"secret" not in content
    assert b"Traceback" not in content
    assert "ZeroDivisionError: a secret" in capfd.readouterr().err


def test_an_image_that_the_model_does_not_take_is_refused() -> None:
    def picky(images: object) -> object:
        raise ConfigError("the file takes images of 64 x 64, not 40 x 60")

    with running(model(picky)) as one:
        status, content, _ = ask(f"{one.url}/predict", IMAGE)
    assert (status, reason(content)) == (400, "the file takes images of 64 x 64, not 40 x 60")


def test_a_client_that_leaves_is_no_bug(capfd: pytest.CaptureFixture[str]) -> None:
    with running(model()) as one:
        host, port = one.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            until(lambda: one.service.running == 1)
        until(lambda: one.service.running == 0)
        assert b'foveate_requests_total{code="400"} 1' in ask(f"{one.url}/metrics")[1]
    assert "Traceback" not in capfd.readouterr().err


def test_requests_that_wait_go_together_by_size() -> None:
    goes_on, sizes = threading.Event(), []

    def slow(images: list[np.ndarray]) -> object:
        sizes.append([image.shape[:2] for image in images])
        assert goes_on.wait(10)
        return by_brightness(images)

    small = encoded(photo((20, 30)))
    with running(model(slow)) as one, ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, f"{one.url}/predict", IMAGE)
        until(lambda: sizes)
        later = [pool.submit(ask, f"{one.url}/predict", image) for image in (IMAGE, small) * 3]
        until(lambda: len(one.service.batcher) == 6)
        goes_on.set()
        answers = [future.result(20) for future in (first, *later)]
    assert [status for status, *_ in answers] == [200] * 7
    assert [picture(content).shape for _, content, _ in answers] == [(40, 60), *[(40, 60), (20, 30)] * 3]
    assert sorted(map(len, sizes)) == [1, 3, 3]


def test_more_requests_than_allowed_are_refused_at_once() -> None:
    goes_on = threading.Event()

    def slow(images: list[np.ndarray]) -> object:
        assert goes_on.wait(10)
        return by_brightness(images)

    with running(model(slow), requests=2) as one, ThreadPoolExecutor(2) as pool:
        held = [pool.submit(ask, f"{one.url}/predict", IMAGE) for _ in range(2)]
        until(lambda: one.service.running == 2)
        status, content, _ = ask(f"{one.url}/predict", IMAGE)
        goes_on.set()
        assert [future.result(20)[0] for future in held] == [200, 200]
    assert (status, "try again later" in reason(content)) == (503, True)


def test_a_slow_network_and_a_slow_client_meet_the_time_limit() -> None:
    goes_on = threading.Event()

    def slow(images: list[np.ndarray]) -> object:
        goes_on.wait(10)
        return by_brightness(images)

    with running(model(slow), seconds=0.3) as one:
        status, content, _ = ask(f"{one.url}/predict", IMAGE)
        assert (status, "no prediction within 0.3 s" in reason(content)) == (503, True)
        goes_on.set()
        host, port = one.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            assert client.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_shutdown_answers_what_was_taken_and_asks_clients_to_close() -> None:
    goes_on = threading.Event()

    def slow(images: list[np.ndarray]) -> object:
        assert goes_on.wait(10)
        return by_brightness(images)

    with running(model(slow), linger=0.5) as one, ThreadPoolExecutor(6) as pool:
        held = [pool.submit(ask, f"{one.url}/predict", IMAGE) for _ in range(6)]
        until(lambda: one.service.running == 6)
        one.server.should_exit = True
        until(lambda: one.service.ends)
        assert ask(f"{one.url}/health")[0] == 503
        goes_on.set()
        assert [future.result(20)[0] for future in held] == [200] * 6
        one.end()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(one.url.rpartition(":")[2])), timeout=2)


def test_an_address_that_is_taken_or_foreign_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*choose another --port"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="--port is from 0 to 65535, not 99999"):
        listen("127.0.0.1", 99999)


@pytest.mark.parametrize("ends", [True, False])
def test_a_request_refused_while_the_server_ends_is_read_first(ends: bool) -> None:
    order: list[str] = []

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})

    async def receive() -> Any:
        order.append("part")
        return {"type": "http.request", "body": b"x", "more_body": order.count("part") < 3}

    async def send(message: Any) -> None:
        order.append("answer")

    service = object.__new__(Service)  # without a model
    service.ends = ends
    asyncio.run(_Closing(refusing, service)({"type": "http"}, receive, send))
    assert order == (["part", "part", "part", "answer"] if ends else ["answer"])
