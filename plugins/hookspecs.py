"""The hooks a plugin may implement: one for each kind of record."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from foveate.plugins.records import Block, Decoder, Encoder, Loss, Metric, Record

hookspec = pluggy.HookspecMarker("foveate")
hookimpl = pluggy.HookimplMarker("foveate")


@hookspec
def foveate_blocks() -> Iterable[Block]:  # type: ignore[empty-body]
    """Offer attention blocks.

    Returns:
        The records of the blocks, in any order; a generator will do.
    """


@hookspec
def foveate_encoders() -> Iterable[Encoder]:  # type: ignore[empty-body]
    """Offer networks that turn an image into features; each is a classifier too.

    Returns:
        The records of the encoders.
    """


@hookspec
def foveate_decoders() -> Iterable[Decoder]:  # type: ignore[empty-body]
    """Offer networks that turn features into class logits.

    Returns:
        The records of the decoders.
    """


@hookspec
def foveate_losses() -> Iterable[Loss]:  # type: ignore[empty-body]
    """Offer losses.

    Returns:
        The records of the losses.
    """


@hookspec
def foveate_metrics() -> Iterable[Metric]:  # type: ignore[empty-body]
    """Offer figures that evaluation reports.

    Returns:
        The records of the metrics.
    """


# Each hook, and the record it yields.
HOOKS: dict[str, type[Record]] = {
    "foveate_blocks": Block,
    "foveate_encoders": Encoder,
    "foveate_decoders": Decoder,
    "foveate_losses": Loss,
    "foveate_metrics": Metric,
}
