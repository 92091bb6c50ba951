"""Seeds every generator of random numbers that a training step may draw from."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_all(*numbers: int) -> None:
    """Seed the global generators of Python, NumPy and torch, on every device.

    Args:
        numbers: Whole numbers that differ wherever other random numbers are to be drawn.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  what third parties draw from
    torch.manual_seed(seed)
