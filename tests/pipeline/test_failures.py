"""The part of a network that fails is named; our own bugs stay bugs."""

from __future__ import annotations

import pytest
import torch

from foveate.datasets.labels import CAMVID
from foveate.pipeline.errors import ConfigError, DivergedError
from foveate.pipeline.failures import named_failures
from foveate.pipeline.segmentation import SegmentationTask
from foveate.plugins.errors import PluginError

OURS = {"encoder mscan_t": {"distribution": "foveate", "version": "1"}}
THEIRS = {"loss brier": {"distribution": "foveate-parts", "version": "0.3"}, **OURS}


def test_a_librarys_network_is_a_mistake_of_the_recipe() -> None:
    said = r"timm cannot run it so: ValueError: .*sides that are multiples of 32"
    with pytest.raises(ConfigError, match=said), named_failures("timm:resnet18+light_ham", OURS):
        raise ValueError("The size of tensor a (7) must match the size of tensor b (8)")


def test_a_plugins_part_is_named_with_its_distribution() -> None:
    with (
        pytest.raises(
            PluginError, match=r"loss brier of foveate-parts 0\.3 fails: IndexError: no such class"
        ) as caught,
        named_failures("loss", THEIRS),
    ):
        raise IndexError("no such class")
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("x")], ids=str)
def test_what_our_own_parts_raise_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, named_failures("segnext_t", OURS):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [DivergedError("nan"), PluginError("known"), torch.OutOfMemoryError("x"), RuntimeError("CUDA out of memory")],
    ids=str,
)
def test_known_errors_and_full_memory_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, named_failures("timm:resnet18+light_ham", THEIRS):
        raise error
    assert caught.value is error


def test_one_value_for_a_batch_norm_is_a_mistake_under_our_networks_too() -> None:
    said = r"segnext_t: batch norm sees one value per channel: give a batch of at least 2"
    with pytest.raises(ConfigError, match=said), named_failures("segnext_t", OURS):
        raise ValueError("Expected more than 1 value per channel when training, got input size [1, 256, 1, 1]")


class Backwards(torch.autograd.Function):
    """Fails in the backward pass, as a kernel of its author's own may."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.sum()

    @staticmethod
    def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
        raise IndexError("no such bin")


@pytest.mark.parametrize("network", ["segnext_t", "mobilenet_v2_035+smp:FPN"])
def test_a_plugins_loss_that_fails_in_the_backward_pass_is_named(network: str) -> None:
    task = SegmentationTask(network=network, labels=CAMVID)
    task._provenance = THEIRS
    loss = Backwards.apply(torch.ones(3, requires_grad=True))
    with pytest.raises(PluginError, match=r"loss brier of foveate-parts 0\.3 fails: .*no such bin"):
        task.backward(loss)


def test_a_bug_of_ours_in_the_backward_pass_stays_a_bug() -> None:
    task = SegmentationTask(network="segnext_t", labels=CAMVID)
    with pytest.raises(IndexError):
        task.backward(Backwards.apply(torch.ones(3, requires_grad=True)))
