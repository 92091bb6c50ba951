"""The application: what is answered at which path. It never tells a client more of an error than one line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from foveate.pipeline.predictor import Classification, Segmentation
from foveate.pipeline.serving.answers import answer, chosen_output
from foveate.pipeline.serving.batching import Batcher
from foveate.pipeline.serving.bodies import image_bytes
from foveate.pipeline.serving.limits import Limits
from foveate.pipeline.serving.metrics import Metrics
from foveate.pipeline.serving.refusal import Refused, refusal_of

Pixels = UInt8[np.ndarray, "H W C"]
Result = Segmentation | Classification
REST = 1.0  # seconds for the rest of a request that is refused while the server ends
USAGE = """foveate serve

POST /predict            an image as the body, or as a file of a form: a label map as PNG, or classes as JSON
POST /predict?output=X   for segmentation: labels, overlay, confidence, json, polygons; for classification: json
GET  /health             200 while requests are taken, 503 during shutdown
GET  /metrics            counts and times, for Prometheus
"""


class Model(NamedTuple):
    """A trained model as the server uses it.

    Attributes:
        name: What it was loaded from.
        kind: segmentation or classification.
        classes: Names of the classes.
        decode: From the bytes of an image file to pixels.
        predict: The results of several images.
    """

    name: str
    kind: Literal["segmentation", "classification"]
    classes: Sequence[str]
    decode: Callable[[bytes], Pixels]
    predict: Callable[[Sequence[Pixels]], Sequence[Result]]


@dataclass(eq=False)
class Service:
    """The state of a server.

    Attributes:
        model: The model.
        limits: What is accepted.
        ends: Whether it is shutting down: clients are asked to close their connections.
        running: Requests that have no answer yet.
    """

    model: Model
    limits: Limits
    ends: bool = False
    running: int = 0
    batcher: Batcher[Pixels, Result] = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        gauges = {
            "foveate_requests_running": ("Requests without an answer yet.", lambda: float(self.running)),
            "foveate_images_waiting": ("Images that wait for the network.", lambda: float(len(self.batcher))),
        }
        self.metrics = Metrics(gauges)
        limits, told = self.limits, self.metrics.batches.add
        self.batcher = Batcher(self.model.predict, batch=limits.batch, wait=limits.wait, told=told)

    async def predict(self, request: Request) -> Response:
        """Answer POST /predict."""
        start = time.monotonic()
        self.running += 1
        status = 500  # if nothing else is known
        try:
            response = await self._limited(request)
            status = response.status_code
            return response
        finally:
            self.running -= 1
            self.metrics.answered(status, time.monotonic() - start)

    async def health(self, request: Request) -> Response:
        """Answer GET /health."""
        model = self.model
        content = {"status": "ends" if self.ends else "ok", "model": model.name, "kind": model.kind}
        return JSONResponse({**content, "classes": list(model.classes)}, 503 if self.ends else 200)

    async def show_metrics(self, request: Request) -> Response:
        """Answer GET /metrics."""
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _limited(self, request: Request) -> Response:
        """An answer, or the reason why there is none, within the time allowed."""
        waits_for = "body"
        try:
            if self.running > self.limits.requests:
                raise Refused(503, f"{self.limits.requests} requests are running; try again later")
            async with asyncio.timeout(self.limits.seconds):
                output = chosen_output(
                    self.model.kind, request.query_params.get("output"), request.headers.get("accept", "")
                )
                data = await image_bytes(request, self.limits.bytes)
                waits_for = "network"
                content, media_type = await self._predicted(data, output)
            return Response(content, media_type=media_type)
        except TimeoutError:
            if waits_for == "body":
                return refused(Refused(408, f"the request did not arrive within {self.limits.seconds:g} s"))
            return refused(Refused(503, f"no prediction within {self.limits.seconds:g} s; try again later"))
        except Refused as refusal:
            return refused(refusal)
        except ClientDisconnect:
            return refused(Refused(400, "the client left before its request was complete"))  # for the metrics

    async def _predicted(self, data: bytes, output: str) -> tuple[bytes, str]:
        try:
            result = await self._result(data)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error
        return await asyncio.to_thread(answer, result, output)

    async def _result(self, data: bytes) -> Result:
        pixels = await asyncio.to_thread(self.model.decode, data)
        kind = pixels.shape if self.model.kind == "segmentation" else None  # a classifier's images are resized
        waiting: Future[Result] = self.batcher.submit(pixels, kind)
        return await asyncio.wrap_future(waiting)


def refused(refusal: Refused) -> Response:
    """The answer to a request that gets no prediction.

    Args:
        refusal: Status and reason.
    """
    headers = {"Retry-After": "1"} if refusal.status == 503 else {}
    if refusal.status in (408, 413):
        headers["Connection"] = "close"  # what is left of the body is not read
    return JSONResponse({"error": refusal.reason}, refusal.status, headers)


def create_application(service: Service) -> Any:
    """The application of a service, for any server of ASGI.

    Args:
        service: Its state.
    """
    routes = [
        Route("/", _usage),
        Route("/predict", service.predict, methods=["POST"]),
        Route("/health", service.health),
        Route("/metrics", service.show_metrics),
    ]
    handlers: dict[Any, Any] = {HTTPException: _not_here, Exception: _failed}
    application = Starlette(routes=routes, exception_handlers=handlers)
    return _Closing(application, service)


class _Closing:
    """Asks clients to close their connections while the server ends.

    The rest of a request is read before its answer says so: closing a connection with bytes that nobody has read resets
    it, and the answer is lost with it.
    """

    def __init__(self, application: Any, service: Service) -> None:
        self.application = application
        self.service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_whole = False

        async def noting() -> Any:
            nonlocal is_whole
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        async def closing(message: Any) -> None:
            if self.service.ends and message["type"] == "http.response.start":
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST):
                        while not is_whole:
                            await noting()
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await send(message)

        await self.application(scope, noting, closing)


async def _usage(request: Request) -> Response:
    return PlainTextResponse(USAGE)


async def _not_here(request: Request, error: Any) -> Response:
    paths = "POST /predict, GET /health, GET /metrics"
    reason = f"{request.method} {request.url.path}: {error.detail.lower()} (accepted: {paths})"
    return JSONResponse({"error": reason}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """A bug: its traceback is in the server's log."""
    return JSONResponse({"error": "internal error; the log of the server tells more"}, 500)
