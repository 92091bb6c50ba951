"""Blocks that are run again on the way back learn as those that are not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.models.checkpointing import checkpoint_activations

NETWORKS = ["segnext_t", "van_b0", "vit_ti", "mobilenet_v2_035", "timm:resnet10t"]


def learn(network: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Every gradient and statistic after one step back."""
    network.train()
    torch.manual_seed(1)  # drop path and bases
    network(image).square().mean().backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return {**gradients, **dict(network.named_buffers())}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_those_of_plain_training(name: str) -> None:
    torch.manual_seed(0)
    plain = create_model(name, num_classes=3)
    other = create_model(name, num_classes=3)
    other.load_state_dict(plain.state_dict())
    checkpoint_activations(other)
    image = torch.randn(2, 3, 64, 64)
    wanted, got = learn(plain, image), learn(other, image)
    assert wanted.keys() == got.keys()
    for key, value in wanted.items():
        counted = "running" in key or "num_batches" in key
        if not (counted and "timm" in name):  # timm's own way counts a batch twice
            torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-5, msg=key)


def kept_numbers(network: nn.Module) -> int:
    """How many numbers a forward pass keeps for the way back."""
    sizes: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.randn(2, 3, 64, 64))
    return sum(sizes)


def test_less_is_kept() -> None:
    network = create_model("mscan_t", num_classes=2)
    before = kept_numbers(network)
    checkpoint_activations(network)
    assert kept_numbers(network) < before / 2


def test_a_network_without_blocks_says_so() -> None:
    with pytest.raises(ConfigError, match="no part of this network"):
        checkpoint_activations(nn.Linear(2, 2))
