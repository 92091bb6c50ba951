"""Every block, loss and metric by itself on a device: values and gradients of the CPU, and steps in few bits."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.losses import create_loss
from foveate.pipeline.metrics.create import create_metrics
from foveate.plugins import Block, Loss, Metric, create_block
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Record
from foveate.tests.devices.conftest import CUDA, off

CLASSES, CHANNELS = 5, 32
pytestmark = pytest.mark.usefixtures("full_float32")
BOUND = 1e-4  # of the largest value, in float32


def records(kind: type[Record]) -> list[Record]:
    """Of our own parts of a kind."""
    return [offer.record for offer in installed_plugins().of_kind(kind)]


def gradients(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of input and parameters."""
    x = x.clone().requires_grad_()
    out = module(x)
    out.float().square().mean().backward()
    assert x.grad is not None
    return [out.detach(), x.grad, *(one.grad for one in module.parameters() if one.grad is not None)]


@pytest.mark.parametrize("name", [record.name for record in records(Block)])
def test_a_block_gives_the_numbers_of_the_cpu(name: str, device: str) -> None:
    block = create_block(name, CHANNELS).eval()
    with torch.no_grad():
        for one in block.parameters():  # off its start, where much is zero
            one.add_(0.02 * torch.randn_like(one))
    x = torch.randn(2, CHANNELS, 24, 40)
    there = deepcopy(block).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = gradients(there, x.to(device, memory_format=torch.channels_last))
    for one, other in zip(found, gradients(block, x), strict=True):
        assert off(one, other) < BOUND


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [record.name for record in records(Block)])
def test_a_block_takes_a_step_in_few_bits(name: str, dtype: torch.dtype, device: str) -> None:
    block = create_block(name, CHANNELS).to(device, memory_format=torch.channels_last)
    x = torch.randn(2, CHANNELS, 24, 40, device=device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device, dtype):
        found = gradients(block, x)
    assert all(bool(one.isfinite().all()) for one in found)


@pytest.mark.parametrize("device", [CUDA])  # the CPU would be compared with itself
@pytest.mark.parametrize("name", [record.name for record in records(Loss)])
def test_a_loss_gives_the_numbers_of_the_cpu(name: str, device: str) -> None:
    logits, labels = torch.randn(2, CLASSES, 12, 20), torch.randint(CLASSES, (2, 12, 20))
    labels[:, :2] = 255
    results = []
    for where in ("cpu", device):
        given = logits.to(where).requires_grad_()
        value = create_loss(name, CLASSES).to(where)(given, labels.to(where))
        results.append((value.detach(), *torch.autograd.grad(value, given)))
    for one, other in zip(results[1], results[0], strict=True):
        assert off(one, other) < BOUND


@pytest.mark.parametrize("device", [CUDA])  # the CPU would be compared with itself
@pytest.mark.parametrize("name", [record.name for record in records(Metric)])
def test_a_metric_gives_the_numbers_of_the_cpu(name: str, device: str) -> None:
    is_of_images = name == "top_k"
    shape: tuple[int, ...] = (8,) if is_of_images else (2, 48, 64)
    logits, labels = torch.randn(shape[0], CLASSES, *shape[1:]), torch.randint(CLASSES, shape)
    if not is_of_images:
        labels = labels[:, ::8, ::8].repeat_interleave(8, 1).repeat_interleave(8, 2).contiguous()  # areas
    results = []
    for where in ("cpu", device):
        metric = create_metrics([name], CLASSES)[name].to(where)
        metric.update(logits.to(where).softmax(1), labels.to(where))
        results.append(metric.compute())
    torch.testing.assert_close(*(to_cpu(one) for one in results[::-1]), rtol=BOUND, atol=BOUND, equal_nan=True)


def to_cpu(found: object) -> object:
    """The same with all tensors on the CPU."""
    if isinstance(found, dict):
        return {key: to_cpu(value) for key, value in found.items()}
    return found.cpu() if isinstance(found, Tensor) else found
