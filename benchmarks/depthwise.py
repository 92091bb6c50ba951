"""Table rows: training steps of the depthwise convolutions of SegNeXt-T's first stage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.eager import plain_operators

CHANNELS, SIDE = 32, 128  # of SegNeXt-T's first stage, for crops of 512 x 512
BATCHES = {"cpu": 2, "cuda": 16}
TIMES = {"cpu": 1, "cuda": 20}  # steps before a wait: a GPU's are shorter than the wait
KERNELS = ((1, 21), (21, 1), (5, 5))
WHO = ("PyTorch", "ours")
BOUND = 0.02  # of the largest value: results are stored in bf16


def run(settings: Settings) -> Result:
    """PyTorch's operators and ours, forward and backward pass, after a look whether they agree."""
    torch.set_num_threads(settings.threads)
    wait = waiter(settings.device)
    seconds: dict[str, list[float]] = {}
    goals = []
    for kernel in KERNELS:
        name = f"{kernel[0]} x {kernel[1]}"
        steps = {f"{who}, {name}": create_step(kernel, settings.device, plain=who == "PyTorch") for who in WHO}
        check_same(*(step() for step in steps.values()))
        turns = {who: repeated(step, TIMES[settings.device]) for who, step in steps.items()}
        seconds |= alternate(turns, rounds=settings.times(15), after=wait)
        goals.append(Goal(f"depthwise {name}, step", f"PyTorch, {name}", f"ours, {name}"))
    size = f"{BATCHES[settings.device]} x {CHANNELS} x {SIDE} x {SIDE}"
    what = (
        f"Forward and backward pass on {size} features in bf16, channels_last, under autocast; all gradients. A round "
        f"is {TIMES[settings.device]} of them. The module is the same, with PyTorch's operators and with our kernels."
    )
    return Result("depthwise", "Depthwise convolution", what, seconds, goals)


def create_step(kernel: tuple[int, int], device: str, *, plain: bool) -> Callable[[], list[Tensor]]:
    """A step of a convolution with weights of its own, the same for both; gradients of input, kernel and bias."""
    torch.manual_seed(0)
    conv = DepthwiseConv2d(CHANNELS, kernel).to(device, memory_format=torch.channels_last)
    x = torch.randn(BATCHES[device], CHANNELS, SIDE, SIDE, dtype=torch.bfloat16)
    x = x.to(device, memory_format=torch.channels_last).requires_grad_()
    above = torch.randn_like(x)

    def step() -> list[Tensor]:
        with plain_operators() if plain else nullcontext(), torch.autocast(device, torch.bfloat16):
            out = conv(x)
        return list(torch.autograd.grad(out, [x, *conv.parameters()], above))

    return step


def repeated(step: Callable[[], object], times: int) -> Callable[[], None]:
    """A number of steps."""

    def turn() -> None:
        for _ in range(times):
            step()

    return turn


def check_same(given: list[Tensor], expected: list[Tensor]) -> None:
    """Refuse to time what does not agree."""
    for one, other in zip(given, expected, strict=True):
        off = float((one.float() - other.float()).abs().max() / other.float().abs().max())
        if not off < BOUND:
            raise ValueError(f"depthwise convolutions differ by {off:.1g} of the largest value")
