"""Which parts of a network are gathered together."""

from __future__ import annotations

import pytest
from torch import nn

from foveate.pipeline.models import create_model
from foveate.pipeline.processes.sharding import blocks_of, gathered


@pytest.mark.parametrize(
    ("network", "kind", "count"),
    [
        ("segnext_t", "Block", 3 + 3 + 5 + 2),
        ("vit_ti", "Block", 12),
        ("mobilenet_v2_100", "InvertedResidual", 17),
        ("timm:convnext_atto", "ConvNeXtBlock", 2 + 2 + 6 + 2),
    ],
)
def test_blocks_are_the_repeated_parts(network: str, kind: str, count: int) -> None:
    options = {"image_size": 64} if network == "vit_ti" else {}
    blocks = blocks_of(create_model(network, num_classes=3, **options))
    assert sum(type(block).__name__ == kind for block in blocks) == count
    held = [id(parameter) for block in blocks for parameter in block.parameters()]
    assert len(held) == len(set(held))


def test_layers_alone_are_no_blocks() -> None:
    assert blocks_of(nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))) == []


def test_what_is_not_kept_is_left_out() -> None:
    linear = nn.Linear(2, 2)
    assert gathered(dict(linear.state_dict()), keep=False) == {"weight": None, "bias": None}
    assert gathered({"step": 3, "names": ["a"]}) == {"step": 3, "names": ["a"]}
