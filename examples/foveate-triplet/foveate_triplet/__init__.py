"""Triplet attention for Foveate."""

from foveate.plugins import Block, hookimpl


@hookimpl
def foveate_blocks():
    """Offer the block."""
    yield Block(
        name="triplet",
        summary="Attention weights over three pairs of axes",
        kind="3-D",
        build="foveate_triplet.block:TripletAttention",
        paper="arXiv:2010.03045",
    )
