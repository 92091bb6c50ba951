"""The block under test: rules build a new module for each trial and pass it copies of the input."""

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
SIZE: Size = (16, 24)  # even and not square; the default size of rules


@dataclass(frozen=True)
class Builder:
    """Builds a block with any number of channels, as a recipe would; can be pickled if the callable can.

    Attributes:
        source: An offer, or a class or function `build(channels, **options)`.
        options: The block's options, as in a recipe.
    """

    source: Offer[Block] | Callable[..., nn.Module]
    options: Mapping[str, Any]

    def __call__(self, channels: int) -> nn.Module:
        """Build the block, without the checks of its first pass (see `guard`): the rules find faults themselves.

        Args:
            channels: Number of channels.
        """
        if isinstance(self.source, Offer):
            return build_module(self.source, channels, options=self.options)
        return self.source(channels, **self.options)

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function that builds the block."""
        return load(self.source) if isinstance(self.source, Offer) else self.source


@dataclass(frozen=True)
class Subject:
    """A block to test.

    Attributes:
        name: Its name in messages.
        build: Builds a module from a number of channels.
        channels: Number of channels that most rules use.
        multiple_of: The number of channels must be a multiple of this.
    """

    name: str
    build: Builder
    channels: int = 16
    multiple_of: int = 1

    def module(self, *, seed: int = 0, channels: int | None = None) -> nn.Module:
        """A new module in evaluation mode, with every parameter moved away from its initial value.

        Args:
            seed: The same seed gives the same module.
            channels: Number of channels; the subject's if not given.
        """
        random.seed(seed)
        torch.manual_seed(seed)
        return jitter(self.build(channels or self.channels)).eval()

    def features(
        self, size: Size = SIZE, *, batch: int = 2, channels: int | None = None, seed: int = 0
    ) -> Float[Tensor, "B C H W"]:
        """A feature map (B, C, H, W) of standard normal values.

        Args:
            size: Height and width.
            batch: Number of samples B.
            channels: Number of channels C; the subject's if not given.
            seed: Seed of the values.
        """
        generator = torch.Generator().manual_seed(1000 + seed)
        return torch.randn(batch, channels or self.channels, *size, generator=generator)

    def width(self, wanted: int) -> int:
        """The smallest accepted number of channels that is at least `wanted`.

        Args:
            wanted: Number of channels.
        """
        return -(-wanted // self.multiple_of) * self.multiple_of


def jitter(module: nn.Module) -> nn.Module:
    """Add noise to every parameter, since an initial value of zero or one may hide a fault.

    Args:
        module: Changed in place and returned.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            scale = parameter.abs().mean().item() or 0.1  # in proportion to the parameter, since gates multiply
            parameter.add_(0.3 * scale * torch.randn_like(parameter))
    return module


def call(module: nn.Module, x: Tensor) -> Tensor:
    """The module's output for a copy of the input: a block that modifies its input disturbs no other rule.

    Args:
        module: The block.
        x: The input (B, C, H, W).
    """
    out: Tensor = module(x.clone())
    return out


def backward(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Run a forward and a backward pass; gives the output and the gradient of the input.

    Gradients of parameters are left in `.grad`. The loss is a randomly weighted sum of the output: the gradient of a
    plain sum or mean is zero behind a softmax or a norm.

    Args:
        module: The block.
        x: The input (B, C, H, W).
    """
    leaf = x.clone().requires_grad_()
    out = call(module, leaf)
    if out.requires_grad:
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(7)).to(out)
        torch.autograd.backward((out * weights).sum())
    return out.detach(), leaf.grad


def is_close(left: Tensor, right: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors have one shape and differ by at most `tolerance` times their largest absolute value.

    Args:
        left: One tensor.
        right: The other.
        tolerance: Largest accepted difference, relative to the largest absolute value.
    """
    if left.shape != right.shape:
        return False
    largest = max(left.abs().max().item(), right.abs().max().item(), 1e-6)
    return bool((left - right).abs().max().item() <= tolerance * largest)


def lacks_kernel(error: RuntimeError) -> bool:
    """Whether the error says that torch has no kernel for a dtype on this device, which is not the block's fault.

    Args:
        error: The error.
    """
    return isinstance(error, NotImplementedError) or "not implemented for" in str(error)
