"""Whether kernels in Triton can be used on a device."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import Parameter

from foveate.plugins.ops.native.loading import SWITCH, is_switched_off

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
OLDEST = (8, 0)  # compute capability of Ampere; Triton is not made for older GPUs
MOST = 2**31  # values of a feature map, which kernels number in 32 bits
EXPECTED = [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]  # sums of 3 x 3 ones, on a map of ones

log = logging.getLogger(__name__)


def takes(x: Tensor) -> bool:
    """Whether the kernels are available and support this feature map: on an NVIDIA GPU, channels_last, not float64.

    Tensors of other classes are refused: fake ones have no memory, and distributed ones a part of it.
    """
    return (
        x.is_cuda
        and type(x) in (Tensor, Parameter)
        and x.dtype in DTYPES
        and 0 < x.numel() < MOST
        and x.is_contiguous(memory_format=torch.channels_last)
        and not why_not(x.device.index)
    )


@cache
def why_not(device: int) -> str:
    """Why the kernels are not used on a GPU; empty if they are. A trial kernel is compiled and run, once a process.

    Args:
        device: Index of the GPU.
    """
    if is_switched_off():
        return f"switched off by {SWITCH}=0, or not supported by this system"
    if torch.version.hip is not None:
        return "written for NVIDIA GPUs"
    if find_spec("triton") is None:
        return "Triton is not installed"
    try:
        capability = torch.cuda.get_device_capability(device)
        if capability < OLDEST:
            return "compute capability {}.{}, and at least {}.{} is needed".format(*capability, *OLDEST)
        reason = "" if _trial(torch.device("cuda", device)) == EXPECTED else "a trial gave wrong numbers"
    except Exception as error:  # of Triton, of its compiler, of a driver: PyTorch's operators do the same
        reason = " ".join(str(error).split()) or type(error).__name__
    if reason:
        log.info("the GPU kernels are not used, PyTorch's own operators are: %s", reason)
    return reason


def _trial(device: torch.device) -> object:
    """A map that a trial kernel gives."""
    from foveate.plugins.ops.gpu import depthwise

    x = torch.ones(1, 8, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        return depthwise.forward(x, torch.ones(8, 1, 3, 3, device=device), None)[0, 0].tolist()
