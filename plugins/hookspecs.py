"""The hooks a plugin may implement: one for each kind of record."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from foveate.plugins.records import Block, DataSet, Decoder, Encoder, Loss, Metric, Record

hookspec = pluggy.HookspecMarker("foveate")
hookimpl = pluggy.HookimplMarker("foveate")


@hookspec
def foveate_blocks() -> Iterable[Block]:  # type: ignore[empty-body]
    """Offer attention blocks.

    Returns:
        The records of the blocks, in any order, as a list or from a generator.
    """


@hookspec
def foveate_encoders() -> Iterable[Encoder]:  # type: ignore[empty-body]
    """Offer networks that compute feature maps from an image; each can be a classifier too.

    Returns:
        The records of the encoders.
    """


@hookspec
def foveate_decoders() -> Iterable[Decoder]:  # type: ignore[empty-body]
    """Offer networks that compute class logits from feature maps.

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
    """Offer metrics that evaluation reports.

    Returns:
        The records of the metrics.
    """


@hookspec
def foveate_data() -> Iterable[DataSet]:  # type: ignore[empty-body]
    """Offer data sets.

    Returns:
        The records of the data sets.
    """


# The type of record that each hook yields.
HOOKS: dict[str, type[Record]] = {
    "foveate_blocks": Block,
    "foveate_encoders": Encoder,
    "foveate_decoders": Decoder,
    "foveate_losses": Loss,
    "foveate_metrics": Metric,
    "foveate_data": DataSet,
}
