"""Builds an engine by its name."""

from __future__ import annotations

from torch import Tensor, nn

from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.native import create_compiled, create_folded, create_torch
from foveate.pipeline.engines.openvino import create_openvino

BUILDERS = {
    "torch": create_torch,
    "folded": create_folded,
    "compile": create_compiled,
    "openvino": create_openvino,
}


def build_engine(network: nn.Module, image: Tensor, engine: str, precision: Precision) -> Engine:
    """The engine with this name, for a network and normalised images (B, C, H, W).

    Raises:
        ConfigError: The engine cannot run on this machine or with this network.
    """
    return BUILDERS[engine](network, image, precision)
