"""The devices on which the same tests run: the CPU everywhere, CUDA where there is one."""

from __future__ import annotations

import pytest
import torch

NO_CUDA = "no CUDA device, or none is shown: see make gpu"
CUDA = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_CUDA)])


@pytest.fixture(params=["cpu", CUDA])
def device(request: pytest.FixtureRequest) -> str:
    """cpu, or cuda."""
    name: str = request.param
    return name


@pytest.fixture
def full_float32() -> None:
    """TF32 keeps 10 bits of the mantissa, which is another precision."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def off(given: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    most = expected.float().abs().max().clamp(min=1e-12).cpu()
    return float((given.float().cpu() - expected.float().cpu()).abs().max() / most)
