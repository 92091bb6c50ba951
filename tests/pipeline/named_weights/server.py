"""A server on the loopback interface whose answers a test decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """What was asked, and what is answered: one answer after the other, the last one again and again.

    Attributes:
        asked: The headers of each request.
        address: Of a file on it.
    """

    def __init__(self, address: str) -> None:
        self.asked: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self.address = address

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(handler.headers))
        (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(handler)


@contextmanager
def serving() -> Iterator[Server]:
    """A server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/w.safetensors")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def whole(content: bytes, *, sent: int | None = None, etag: str = '"1"', ranges: bool = True) -> Answer:
    """A file, or the part that is asked for.

    Args:
        content: All of it.
        sent: How many bytes are sent before the connection breaks; all if None.
        etag: Identifies the file.
        ranges: Whether a part can be asked for.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = 0
        asked, same = handler.headers.get("Range"), handler.headers.get("If-Range", etag) == etag
        if ranges and asked and same:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("ETag", etag)
        handler.end_headers()
        handler.wfile.write(content[start:] if sent is None else content[start : start + sent])

    return answer


def failing(code: int) -> Answer:
    """An error.

    Args:
        code: Of HTTP.
    """
    return lambda handler: handler.send_error(code)
