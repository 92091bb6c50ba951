"""The block under test: built afresh as often as a rule asks, and fed with copies."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.building import build_module, load
from foveate.plugins.manager import Offer
from foveate.plugins.records import Block

Size = tuple[int, int]
SIZE: Size = (16, 24)  # even and not square; a rule that means another size names it


@dataclass(frozen=True)
class Builder:
    """Builds a block at any width, as a recipe would; it can be pickled where the block's callable can.

    Attributes:
        source: An offer, or a class or function `build(channels, **options)`.
        options: What a recipe would say beside the name.
    """

    source: Offer[Block] | Callable[..., nn.Module]
    options: Mapping[str, Any]

    def __call__(self, channels: int) -> nn.Module:
        """The block, without the watch over its first pass: what it does wrong is for the rules to find."""
        if isinstance(self.source, Offer):
            return build_module(self.source, channels, options=self.options)
        return self.source(channels, **self.options)

    @property
    def target(self) -> Callable[..., Any]:
        """What is called in the end."""
        return load(self.source) if isinstance(self.source, Offer) else self.source


@dataclass(frozen=True)
class Subject:
    """A block to be tried.

    Attributes:
        name: What it is called in messages.
        build: From a width to a module.
        channels: The width at which most rules try it.
        multiple_of: What its widths divide by.
    """

    name: str
    build: Builder
    channels: int = 16
    multiple_of: int = 1

    def module(self, *, seed: int = 0, channels: int | None = None) -> nn.Module:
        """A fresh module in evaluation, the same for the same seed, each parameter moved off its start."""
        random.seed(seed)
        torch.manual_seed(seed)
        return jitter(self.build(channels or self.channels)).eval()

    def features(
        self, size: Size = SIZE, *, batch: int = 2, channels: int | None = None, seed: int = 0
    ) -> Float[Tensor, "B C H W"]:
        """Normal random features."""
        generator = torch.Generator().manual_seed(1000 + seed)
        return torch.randn(batch, channels or self.channels, *size, generator=generator)

    def width(self, wanted: int) -> int:
        """The smallest width from `wanted` on that the block accepts."""
        return -(-wanted // self.multiple_of) * self.multiple_of


def jitter(module: nn.Module) -> nn.Module:
    """Move every parameter off its start, so that none hides behind a zero, a one or a small scale."""
    with torch.no_grad():
        for parameter in module.parameters():
            scale = parameter.abs().mean().item() or 0.1  # in proportion: gates multiply
            parameter.add_(0.3 * scale * torch.randn_like(parameter))
    return module


def call(module: nn.Module, x: Tensor) -> Tensor:
    """The module's answer to a copy: a block that writes into its input spoils no other rule."""
    out: Tensor = module(x.clone())
    return out


def backward(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """The answer, and the gradient that reaches the input; the parameters get theirs on the way.

    The loss weighs each output at random, for a sum or a mean is blind to a softmax or a norm.
    """
    leaf = x.clone().requires_grad_()
    out = call(module, leaf)
    if out.requires_grad:
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(7)).to(out)
        torch.autograd.backward((out * weights).sum())
    return out.detach(), leaf.grad


def is_close(left: Tensor, right: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors agree up to a part of the larger one's largest value."""
    if left.shape != right.shape:
        return False
    largest = max(left.abs().max().item(), right.abs().max().item(), 1e-6)
    return bool((left - right).abs().max().item() <= tolerance * largest)


def lacks_kernel(error: RuntimeError) -> bool:
    """Whether torch has no code for a dtype on this device, which is not the block's fault."""
    return isinstance(error, NotImplementedError) or "not implemented for" in str(error)
