"""A server in a thread, and clients of the standard library."""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from foveate.datasets.files.decoding import decode_image
from foveate.datasets.labels import CAMVID
from foveate.pipeline.predictor import Segmentation
from foveate.pipeline.serving.application import Model, Service
from foveate.pipeline.serving.limits import Limits
from foveate.pipeline.serving.listening import listen
from foveate.pipeline.serving.server import Server, create_server

LIMITS = Limits(bytes=200_000, pixels=10_000, seconds=20.0, requests=16, batch=4, wait=0.0)


def by_brightness(images: Sequence[np.ndarray]) -> list[Segmentation]:
    """A network without weights: dark pixels are the first class, the brightest the last."""
    return [
        Segmentation(
            name="image",
            image=image,
            labels=(image[..., 0] // 24).clip(0, 10).astype(np.uint8),
            confidence=np.full(image.shape[:2], 0.5, np.float32),
            label_set=CAMVID,
        )
        for image in images
    ]


def model(predict: Callable[[Any], Any] = by_brightness, **changes: Any) -> Model:
    def decode(data: bytes) -> np.ndarray:
        return decode_image(data, "the image", max_pixels=LIMITS.pixels)

    return Model("stub", "segmentation", CAMVID.names, decode, predict)._replace(**changes)


@dataclass
class Running:
    """A server that runs.

    Attributes:
        url: Its address.
        service: Its state.
        server: Ends it by `should_exit`.
    """

    url: str
    service: Service
    server: Server
    thread: threading.Thread

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def running(served: Model, *, linger: float = 0.01, **limits: Any) -> Iterator[Running]:
    """Serve a model until the block ends."""
    service = Service(served, replace(LIMITS, **limits))
    listener = listen("127.0.0.1", 0)
    server = create_server(service)
    server.linger = server.settle = linger
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    one = Running(f"http://127.0.0.1:{listener.getsockname()[1]}", service, server, thread)
    try:
        until(lambda: server.started)
        yield one
    finally:
        one.end()
        service.batcher.close()


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, str]:
    """Status, content and media type of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read(), reply.headers["content-type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers["content-type"]


def reason(content: bytes) -> str:
    return json.loads(content)["error"]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind)
    return file.getvalue()


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def form(name: str, data: bytes, filename: str | None = "photo.png") -> tuple[bytes, str]:
    """The body of a form with one field, and its content type."""
    said = f'; filename="{filename}"' if filename else ""
    head = f'--XYZ\r\nContent-Disposition: form-data; name="{name}"{said}\r\n\r\n'.encode()
    return head + data + b"\r\n--XYZ--\r\n", "multipart/form-data; boundary=XYZ"
