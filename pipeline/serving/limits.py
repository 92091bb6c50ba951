"""What a server accepts, and how long it works on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a request and of all requests together; memory is bounded by `requests` times the first two.

    Attributes:
        bytes: Largest body.
        pixels: Largest image, read from its header before it is decoded.
        seconds: For a request from its first byte to its answer.
        requests: Requests at a time; more are refused at once, so that a client can try elsewhere.
        batch: Images of one size that go through the network together.
        wait: Seconds that a lone image waits for others.
    """

    bytes: int = 20 << 20
    pixels: int = 16_000_000
    seconds: float = 30.0
    requests: int = 64
    batch: int = 8
    wait: float = 0.002
