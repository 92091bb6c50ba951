"""The server: takes requests until a signal comes, answers all it has taken, and ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from foveate.pipeline.errors import Stopped
from foveate.pipeline.serving.application import Service, create_application
from foveate.pipeline.serving.listening import drain

SETTLE = 0.2  # seconds in which what the last connections send arrives
LINGER = 0.5  # seconds in which a client that is just sending a request gets its answer, and is asked to close
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SPARE = 5.0  # seconds beyond the time limit of a request, for sending answers


class Server(uvicorn.Server):
    """Ends in four steps: asks clients to close, lingers, takes no more connections, answers what is left.

    Args:
        config: The settings.
        service: What answers.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.signalled = 0
        self.linger, self.settle = LINGER, SETTLE

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; at a second signal without the answers."""
        self.signalled = sig
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs; in a thread Python allows none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self.service.ends = True
        if not self.force_exit:
            await asyncio.sleep(self.linger)
            await self._stop_listening(sockets or [])
            await asyncio.sleep(self.settle)
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for listener, server in zip(sockets, self.servers, strict=True):
            loop.remove_reader(listener)
            for connection in list(drain(listener, server.close)):
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def serve(service: Service, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or Ctrl-C.

    Args:
        service: What answers.
        listener: Where requests come in; it is closed at the end.

    Raises:
        Stopped: A second signal came before every request had its answer.
    """
    server = create_server(service)
    server.run(sockets=[listener])
    if server.force_exit:
        raise Stopped(server.signalled, at_once=True)
    service.batcher.close()


def create_server(service: Service) -> Server:
    """The server of a service, ready to run.

    Args:
        service: What answers.
    """
    config = uvicorn.Config(
        create_application(service),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=round(service.limits.seconds + SPARE),
    )
    return Server(config, service)
