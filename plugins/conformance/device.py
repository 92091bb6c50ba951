"""A rule on devices: a block works on another device than the CPU. Fake tensors stand in for that device."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from foveate.plugins.conformance.rule import BrokenRuleError, SkippedRuleError, rule
from foveate.plugins.conformance.subject import Subject

# Fake tensors have shape, dtype and device, but no values; reading a value raises one of these.
UNKNOWN_VALUES = (DataDependentOutputException, DynamicOutputShapeException, NotImplementedError)


@rule(
    "device",
    advice="create tensors with device=x.device (or x.new_zeros, torch.zeros_like), and register constants as buffers, "
    "which .to(device) moves",
)
def follow_device(subject: Subject) -> str:
    """The block runs on the device of its input (tested with fake tensors, which have no values)."""
    module, features = subject.module(), subject.features()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    device = _stand_in(mode)
    with mode, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a device that is absent
        _move(module, mode, device)
        x = mode.from_tensor(features).to(device)
        try:
            out = module(x)
        except UNKNOWN_VALUES as error:
            raise SkippedRuleError("the block reads tensor values, and fake tensors have none") from error
        except RuntimeError as error:
            if "device" in str(error):
                raise BrokenRuleError(f"a tensor is on another device than the input: {error}") from error
            raise SkippedRuleError(f"cannot be tested with fake tensors: {error}") from error
    if out.device != x.device:
        raise BrokenRuleError(f"the input is on {x.device}, the output on {out.device}")
    return f"tested with fake tensors on {x.device}"


def _stand_in(mode: FakeTensorMode) -> str:
    """The device to imitate: "cuda" where torch was built for it, with or without a GPU; "meta" elsewhere."""
    try:
        with mode:
            torch.empty(1, device="cuda")
    except (RuntimeError, AssertionError):
        return "meta"
    return "cuda"


def _move(module: nn.Module, mode: FakeTensorMode, device: str) -> None:
    """Move parameters and buffers to the device, and nothing else, as `module.to` does."""

    def moved(tensor: Tensor) -> Tensor:
        fake: Tensor = mode.from_tensor(tensor.detach()).to(device)
        return nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake

    for child in module.modules():
        for store in (child._parameters, child._buffers):
            store.update({name: moved(tensor) for name, tensor in store.items() if tensor is not None})  # type: ignore
