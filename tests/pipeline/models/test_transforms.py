"""Derivatives in other ways than backwards: torch.func, forward mode, and second derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

from foveate.pipeline.models import create_model
from foveate.plugins.ops.eager import is_eager, plain_operators

NETWORKS = ["segnext_t", "mobilenet_v2_050", "vit_ti", "van_b0"]
Weights = dict[str, Tensor]


def made(name: str) -> tuple[nn.Module, Weights, Tensor]:
    """A network in channels_last as in training, its weights, and two images."""
    side = 224 if name == "vit_ti" else 64
    network = create_model(name, num_classes=3).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = {key: one.detach() for key, one in network.named_parameters()}
    return network, weights, torch.randn(2, 3, side, side).contiguous(memory_format=torch.channels_last)


def loss_of(network: nn.Module, weights: Weights, images: Tensor) -> Tensor:
    out: Tensor = functional_call(network, weights, (images,))
    return out.square().mean()


def largest(one: Weights, other: Weights) -> float:
    """The largest difference, as a share of the largest value."""
    most = max(float(value.abs().max()) for value in other.values())
    return max(float((one[name] - value).abs().max()) for name, value in other.items()) / most


@pytest.mark.filterwarnings("ignore:.*have not yet implemented the batching rule.*:UserWarning")  # of torch
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_single_images_are_those_of_each_image_alone(name: str) -> None:
    network, weights, images = made(name)
    found = vmap(grad(lambda given, image: loss_of(network, given, image[None])), (None, 0))(weights, images)
    for number, image in enumerate(images):
        network.zero_grad()
        network(image[None]).square().mean().backward()
        alone = {key: one.grad for key, one in network.named_parameters() if one.grad is not None}
        assert largest({key: found[key][number] for key in alone}, alone) < 1e-4


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # of torch, on its own decompositions
@pytest.mark.parametrize("name", ["segnext_t", "van_b0"])
def test_forward_mode_agrees_with_the_backward_pass(name: str) -> None:
    network, weights, images = made(name)
    gradient = grad(lambda given: loss_of(network, given, images))(weights)
    direction = {key: torch.randn_like(value) * value.abs().mean() for key, value in weights.items()}
    _, slope = jvp(lambda given: loss_of(network, given, images), (weights,), (direction,))
    expected = sum((gradient[key] * direction[key]).sum() for key in weights)
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-5)


def test_second_derivatives_need_the_operators_of_pytorch() -> None:
    network, _, images = made("segnext_t")
    images.requires_grad_()
    with plain_operators():
        loss = network(images).square().mean()
    (first,) = torch.autograd.grad(loss, images, create_graph=True)
    first.square().sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_kernels_do_not_run_in_transforms() -> None:
    seen = []

    def look(x: Tensor) -> Tensor:
        seen.append(is_eager())
        return x.sum()

    x = torch.ones(2)
    look(x)
    grad(look)(x)
    vmap(look)(x)
    with torch.autograd.forward_ad.dual_level():
        look(x)
    look(x)
    assert seen == [True, False, False, False, True]
