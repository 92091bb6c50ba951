"""Seeds the generators of random numbers, once for each sample and each training step."""

from __future__ import annotations

import random
from types import ModuleType

import numpy as np
import torch

# Devices of torch that are set up when they are first used; each module tells whether it was, and seeds its devices.
LAZY: tuple[ModuleType, ...] = (torch.cuda, torch.xpu, torch.mtia)


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, on every device that is in use.

    The numbers are those after `torch.manual_seed(seed)`, which also notes the seed, with the whole stack of calls, for
    devices that are not in use: half a millisecond inside a training loop, more than a small image takes to read.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  what third parties draw from
    if torch.backends.mps.is_available() or torch._C._get_privateuse1_backend_name() != "privateuseone":
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    for device in LAZY:
        if device.is_initialized():
            device.manual_seed_all(seed)
