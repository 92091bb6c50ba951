"""Seeds every generator of random numbers that a training step may draw from."""

from __future__ import annotations

import numpy as np

from foveate.datasets.loading.seeding import seed_generators


def seed_all(*numbers: int) -> None:
    """Seed the global generators of Python, NumPy and torch, on every device that is in use.

    Args:
        numbers: Whole numbers that differ wherever other random numbers are to be drawn.
    """
    seed_generators(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
