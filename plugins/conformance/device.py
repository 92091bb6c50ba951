"""A block follows its features to another device; a made-up one will do."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from foveate.plugins.conformance.rule import BrokenRuleError, SkippedRuleError, rule
from foveate.plugins.conformance.subject import Subject

# Fake tensors know shape, dtype and device; what asks them for a value ends so.
UNKNOWN_VALUES = (DataDependentOutputException, DynamicOutputShapeException, NotImplementedError)


@rule(
    "device",
    advice="make tensors with device=x.device (or x.new_zeros, torch.zeros_like), and register constants as buffers, "
    "which follow .to(device)",
)
def follow_device(subject: Subject) -> str:
    """Everything follows the features to another device (played by tensors without values)."""
    module, features = subject.module(), subject.features()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    device = _stand_in(mode)
    with mode, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a device that is not there
        _move(module, mode, device)
        x = mode.from_tensor(features).to(device)
        try:
            out = module(x)
        except UNKNOWN_VALUES as error:
            raise SkippedRuleError("the block reads values, and the made-up device has none") from error
        except RuntimeError as error:
            if "device" in str(error):
                raise BrokenRuleError(f"a tensor stayed behind: {error}") from error
            raise SkippedRuleError(f"not to be tried on a made-up device: {error}") from error
    if out.device != x.device:
        raise BrokenRuleError(f"the output is on {out.device}, the features were on {x.device}")
    return f"as on {x.device}"


def _stand_in(mode: FakeTensorMode) -> str:
    """CUDA where torch was built for it, present or not; else the device that has no storage."""
    try:
        with mode:
            torch.empty(1, device="cuda")
    except (RuntimeError, AssertionError):
        return "meta"
    return "cuda"


def _move(module: nn.Module, mode: FakeTensorMode, device: str) -> None:
    """Put parameters and buffers, and nothing else, on the device, as `module.to` would."""

    def moved(tensor: Tensor) -> Tensor:
        fake: Tensor = mode.from_tensor(tensor.detach()).to(device)
        return nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake

    for child in module.modules():
        for store in (child._parameters, child._buffers):
            store.update({name: moved(tensor) for name, tensor in store.items() if tensor is not None})  # type: ignore
