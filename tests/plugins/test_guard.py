"""A block that fails is named: when it is built, in its first forward pass and in its backward pass."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.models import create_model
from foveate.plugins import Block, Decoder, Encoder
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.guard import FORWARD, named_backward
from foveate.plugins.manager import Offer, Plugins, Provider, installed_plugins
from foveate.plugins.records import Record

SITE = r"block 'made' of made-dist 0\.1 in slot stage \(encoder\.attention\d, \d+ channels\) "


class FailsInBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        raise RuntimeError("boom")


class Plain(nn.Module):
    def __init__(self, channels: int, *, kernel: int = 1) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError("the kernel is odd")
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(x).sigmoid()


class Raises(Plain):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("lost")


class RaisesInBackward(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return FailsInBackward.apply(super().forward(x))


class WritesIntoWhatIsNeeded(Plain):
    def forward(self, x: Tensor) -> Tensor:
        weights = self.conv(x).sigmoid()
        out = x * weights
        weights.add_(1)
        return out


class Halves(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., ::2]


class Doubles(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).double()


class GivesTwo(Plain):
    def forward(self, x: Tensor) -> Any:
        return x, x


class RunsOutOfMemory(Plain):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")


def refuse(channels: int) -> nn.Module:
    raise RuntimeError("no compiler")


def leave(channels: int) -> nn.Module:
    raise SystemExit(0)


def with_record(record: Record) -> Plugins:
    """What is installed, and one record more."""
    offer = Offer(record=record, provider=Provider(distribution="made-dist", version="0.1", entry_point="made"))
    return Plugins(offers=[*installed_plugins().offers, offer])


def model(build: Callable[..., Any], **options: object) -> nn.Module:
    """A segmenter with a made-up block after each stage, which is known to the given plugins only."""
    plugins = with_record(Block(name="made", summary="-", kind="3-D", build=build))
    return create_model("segnext_t", num_classes=3, attention={"stage": {"name": "made", **options}}, plugins=plugins)


def step(network: nn.Module) -> None:
    with named_backward():
        network(torch.rand(2, 3, 64, 64)).sum().backward()


def test_blocks_are_looked_up_in_the_plugins_that_are_given() -> None:
    assert isinstance(model(Plain).get_submodule("encoder.attention2"), Plain)
    with pytest.raises(PluginConfigError, match="no block named 'made'"):
        create_model("segnext_t", num_classes=3, attention={"stage": "made"})
    with pytest.raises(PluginConfigError, match="no block named 'se'"):
        create_model("segnext_t", num_classes=3, attention={"stage": "se"}, plugins=Plugins())


@pytest.mark.parametrize("network", ["mscan_t", "mobilenet_v2_035", "vit_ti", "mscan_t+light_ham"])
def test_every_model_takes_blocks_of_the_given_plugins(network: str) -> None:
    plugins = with_record(Block(name="made", summary="-", kind="3-D", build=Plain))
    slot = "decoder" if "+" in network else "input"
    built = create_model(network, num_classes=3, attention={"stage": "made", slot: ["made"]}, plugins=plugins)
    assert sum(isinstance(module, Plain) for module in built.modules()) >= 3


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Raises, "failed in the forward pass: KeyError: 'lost'"),
        (RaisesInBackward, "failed in the backward pass: RuntimeError: boom"),
        (WritesIntoWhatIsNeeded, "failed in the backward pass: RuntimeError: one of the variables needed"),
        (Halves, r"changed the shape of its input from \(2, 32, 16, 16\) to \(2, 32, 16, 8\)"),
        (Doubles, r"changed the dtype of its input from torch\.float32 to torch\.float64"),
        (GivesTwo, "returned a tuple, not a tensor"),
    ],
)
def test_a_block_that_fails_is_named_with_its_slot_and_position(build: type[nn.Module], said: str) -> None:
    with pytest.raises(PluginError, match=SITE + said) as caught:
        step(model(build))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (refuse, "cannot be built: RuntimeError: no compiler"),
        (leave, "cannot be built: SystemExit: 0"),
        (lambda channels: "text", "its callable returned a str, not an nn.Module"),
    ],
)
def test_a_block_that_cannot_be_built_is_named(build: Callable[..., Any], said: str) -> None:
    with pytest.raises(
        PluginError, match=r"block 'made' of made-dist 0\.1 in slot stage .*32 channels\) .*" + said
    ) as e:
        model(build)
    assert e.value.exit_code == 5


def test_a_wrong_option_is_the_recipes_mistake() -> None:
    with pytest.raises(PluginConfigError, match=r"with \{'kernel': 2\}: the kernel is odd") as caught:
        model(Plain, kernel=2)
    assert caught.value.exit_code == 2


def test_too_little_memory_is_nobodys_fault() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        step(model(RunsOutOfMemory))


def watched(network: nn.Module) -> int:
    return sum(FORWARD in vars(module) for module in network.modules())


def test_the_watch_ends_with_the_first_step_and_leaves_nothing() -> None:
    network = model(Plain)
    names = list(network.state_dict())
    assert watched(network) > 0
    step(network)
    assert watched(network) == 0
    assert list(network.state_dict()) == names


def test_copies_are_watched_by_themselves() -> None:
    network, file = model(Plain), io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    for twin in (copy.deepcopy(network), torch.load(file, weights_only=False)):
        block = twin.get_submodule("encoder.attention1")
        assert vars(block)[FORWARD].owner is block
        step(twin)
    assert watched(network) > 0


def test_a_watched_block_compiles_and_is_exported_and_traced() -> None:
    block, x = model(Plain).eval().get_submodule("encoder.attention1"), torch.rand(1, 32, 8, 8)
    plain = block(x)
    torch.testing.assert_close(torch.compile(block, backend="eager", fullgraph=True)(x), plain)
    torch.testing.assert_close(torch.export.export(block, (x,), strict=False).module()(x), plain)
    assert FORWARD in vars(block)


@pytest.mark.parametrize(
    ("record", "network", "said"),
    [
        (Encoder(name="made", summary="-", build=lambda name, **given: 1 / 0), "made", "ZeroDivisionError"),
        (Encoder(name="made", summary="-", build=lambda name, **given: nn.Identity()), "made", "has no 'channels'"),
        (Encoder(name="made", summary="-", build=lambda name, **given: None), "made+light_ham", "a NoneType"),
        (Decoder(name="made", summary="-", build=lambda name, **given: nn.Identity()), "mscan_t+made", "no 'stride'"),
    ],
)
def test_encoders_and_decoders_that_fail_are_named(record: Record, network: str, said: str) -> None:
    with pytest.raises(PluginError, match=rf"{record.noun} 'made' of made-dist 0\.1.*{said}") as caught:
        create_model(network, num_classes=3, plugins=with_record(record))
    assert caught.value.exit_code == 5
