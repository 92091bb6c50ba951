"""A small MSCAN for studies on one CPU core (--plugins foveate.benchmarks.small_network)."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.pipeline.models.mscan import MSCAN
from foveate.pipeline.models.slots import Attention
from foveate.plugins import Encoder, hookimpl

CHANNELS, DEPTHS = (16, 32, 64, 96), (1, 1, 2, 1)


def create_small_mscan(name: str, *, in_channels: int = 3, attention: Attention | None = None) -> MSCAN:
    """Build the encoder.

    Args:
        name: Its name.
        in_channels: Channels of the image.
        attention: Blocks for the slots `gate` and `stage`.
    """
    del name
    return MSCAN(channels=CHANNELS, depths=DEPTHS, drop_path=0.0, attention=attention, in_channels=in_channels)


@hookimpl
def foveate_encoders() -> Iterator[Encoder]:
    """Offer the encoder."""
    yield Encoder(name="small_mscan", summary="MSCAN with five blocks", build=create_small_mscan)
