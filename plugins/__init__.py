"""How Foveate grows: the records and hooks a plugin author imports."""

from foveate.plugins.blocks import create_block
from foveate.plugins.hookspecs import hookimpl
from foveate.plugins.records import API_VERSION, Block, DataSet, Decoder, Encoder, Loss, Metric

__all__ = ["API_VERSION", "Block", "DataSet", "Decoder", "Encoder", "Loss", "Metric", "create_block", "hookimpl"]
