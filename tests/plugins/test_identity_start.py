"""A block put between pretrained layers need not wreck them: it can start as the identity, and learn to leave it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveate.plugins.attention import foveate_blocks
from foveate.plugins.blocks import create_block

GIVEN = {"init": "identity"}
EXACT: list[tuple[str, dict[str, Any]]] = [
    ("none", {}),
    ("gc", {}),
    ("gc", GIVEN),
    ("stn", {}),
    ("stn", GIVEN),
    ("scse", GIVEN),
    ("lka", GIVEN),
    ("msca", GIVEN),
    ("deformable", GIVEN),
    ("deformable_v2", GIVEN),
    ("hamburger", GIVEN),
    ("self_attention", GIVEN),
]
NEARLY = {"se": 0.98, "cbam": 0.96, "cbam_channel": 0.98, "cbam_spatial": 0.98, "coordinate": 0.96}
NEARLY |= {"strip_pooling": 0.98, "residual": 1.02, "eca": 0.98}
WITHOUT = ("none", "simam")  # nothing to set, and no parameters to set


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options"), EXACT)
def test_the_features_come_out_as_they_went_in(name: str, options: dict[str, Any], training: bool) -> None:
    x = torch.randn(2, 16, 6, 9)
    block = create_block({"name": name, **options}, 16).train(training)
    torch.testing.assert_close(block(x), x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "share"), NEARLY.items())
def test_nearly_all_of_the_features_pass(name: str, share: float, training: bool) -> None:
    x = torch.randn(2, 16, 6, 9)
    block = create_block({"name": name, **GIVEN}, 16).train(training)
    torch.testing.assert_close(block(x), share * x, atol=1e-6, rtol=0.01)


@pytest.mark.parametrize(("name", "options"), [*EXACT[1:], *((name, GIVEN) for name in NEARLY)])
def test_two_steps_on_every_parameter_learns(name: str, options: dict[str, Any]) -> None:
    block = create_block({"name": name, **options}, 16).train()
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(block(torch.randn(4, 16, 6, 9)), torch.randn(4, 16, 6, 9)).backward()
        optimizer.step()
    assert [key for key, p in block.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", [*NEARLY, *(name for name, options in EXACT if options and (name, {}) not in EXACT)])
def test_without_being_asked_a_block_starts_as_its_paper_says(name: str) -> None:
    x = torch.randn(2, 16, 6, 9)
    assert not torch.allclose(create_block(name, 16).eval()(x), x, rtol=0.05)


def test_every_block_but_two_takes_the_option() -> None:
    names = {block.name for block in foveate_blocks()}
    assert names - {*NEARLY, *(name for name, options in EXACT if options)} == set(WITHOUT)
