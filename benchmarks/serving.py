"""A load test of `foveate serve` on loopback.

    python -m foveate.benchmarks.serving runs/latest --size 256x512 --seconds 10

Clients of the standard library send PNGs one after the other, each over a connection that is kept. They take time of
the same cores as the server. At last SIGTERM comes under full load: every request that was sent needs its answer.
"""

from __future__ import annotations

import argparse
import http.client
import io
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from foveate.pipeline.text import markdown_table, parse_size

CLIENTS = (1, 8, 32)
WARM_UP = 3  # requests
HEADINGS = ("clients", "requests a second", "p50 ms", "p99 ms", "answers", "not 200", "lost")


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: Of each answer.
        statuses: Of each answer.
        lost: Why requests that were sent have no answer.
        took: Seconds in all.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    took: float = 0.0

    def row(self, clients: str) -> list[str]:
        """A row of the table."""
        rate = len(self.seconds) / self.took
        middle, slow = np.percentile(self.seconds, (50, 99)) * 1000 if self.seconds else (0, 0)
        others = sum(status != 200 for status in self.statuses)
        numbers = (f"{rate:.1f}", f"{middle:.0f}", f"{slow:.0f}", len(self.seconds), others, len(self.lost))
        return [clients, *map(str, numbers)]


def measure(address: str, image: bytes, clients: int, goes_on: Callable[[], bool], path: str = "/predict") -> Load:
    """Send requests until `goes_on` says no, or the server takes no more connections.

    Args:
        address: host:port.
        image: The body.
        clients: How many send at a time.
        goes_on: Asked before each request.
        path: What is asked for.
    """
    load = Load()
    start = time.perf_counter()
    threads = [threading.Thread(target=_send, args=(address, image, goes_on, path, load)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reason in load.lost:
        print(f"lost: {reason}", file=sys.stderr)
    load.took = time.perf_counter() - start
    return load


def _send(address: str, image: bytes, goes_on: Callable[[], bool], path: str, load: Load) -> None:
    connection = http.client.HTTPConnection(address, timeout=60)
    while goes_on():
        try:
            if connection.sock is None:
                connection.connect()
        except ConnectionError:
            return  # the server has ended, and nothing was sent
        start = time.perf_counter()
        try:
            connection.request("POST", path, image)
            reply = connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException) as error:
            load.lost.append(f"{type(error).__name__}: {error}")
            connection.close()
            continue
        load.seconds.append(time.perf_counter() - start)
        load.statuses.append(reply.status)
    connection.close()


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether so much time has not yet passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def encoded(height: int, width: int) -> bytes:
    """A PNG of smooth colours."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(file, format="PNG")
    return file.getvalue()


def main() -> None:
    """Run the load test, and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--size", default="256x512")
    parser.add_argument("--seconds", type=float, default=10)
    given, options = parser.parse_known_args()  # what is not known goes to the server
    image = encoded(*parse_size(given.size))
    words = [sys.executable, "-m", "foveate.cli", "serve", given.model, "--port", "0", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://(\S+:\d+)", process.stdout.readline())
            if found is None:
                raise SystemExit("the server did not start")
            rows = run(found[1], image, given.seconds, lambda: process.send_signal(signal.SIGTERM))
            ended = f"exit code {process.wait(60)}"
        finally:
            process.kill()
    print("\n".join(markdown_table(HEADINGS, rows)))
    print(f"\nPNG of {given.size}, {len(image):,} bytes; the server ended with {ended}")


def run(address: str, image: bytes, seconds: float, end: Callable[[], None]) -> list[list[str]]:
    """The rows of the table.

    Args:
        address: host:port.
        image: What is sent.
        seconds: For each number of clients.
        end: Ends the server; it is called halfway through the last measurement.
    """
    left = iter(range(WARM_UP))
    measure(address, image, 1, lambda: next(left, None) is not None)
    rows = [measure(address, image, clients, for_seconds(seconds)).row(str(clients)) for clients in CLIENTS]
    timer = threading.Timer(seconds / 2, end)
    timer.start()
    rows.append(measure(address, image, CLIENTS[-1], for_seconds(seconds + 60)).row(f"{CLIENTS[-1]}, SIGTERM"))
    timer.join()
    return rows


if __name__ == "__main__":
    main()
