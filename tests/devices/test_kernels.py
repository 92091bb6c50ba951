"""The kernels in Triton against PyTorch's operators, and a network that trains through them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.segmentation import SegmentationTask
from foveate.plugins.ops.eager import plain_operators
from foveate.plugins.ops.gpu import available
from foveate.plugins.ops.kernels import ON_GPU, kernels_for
from foveate.tests.devices.conftest import NO_CUDA
from foveate.tests.plugins.ops.interpreted import CASES, DTYPES, compare

pytestmark = [
    pytest.mark.usefixtures("full_float32"),
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_CUDA),
]
BOUNDS = {torch.float32: 2e-6, torch.bfloat16: 2e-2, torch.float16: 3e-3}


@pytest.fixture(autouse=True)
def usable() -> None:
    if reason := available.why_not(0):
        pytest.skip(f"the kernels are not used here: {reason}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kernel", "dilation", "shape"), CASES)
def test_kernels_give_the_numbers_of_pytorch(
    kernel: tuple[int, int], dilation: int, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    for gelu in (False, True):
        assert compare(kernel, dilation, shape, dtype, gelu, "cuda") < BOUNDS[dtype]


@pytest.mark.parametrize(("mixed", "bound"), [(False, 1e-4), (True, 0.1)])
def test_a_network_gets_the_same_gradient(mixed: bool, bound: float) -> None:
    torch.manual_seed(0)
    task = SegmentationTask(network="segnext_t", labels=CITYSCAPES).to("cuda").train()
    task.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.randint(256, (2, 3, 96, 64), dtype=torch.uint8, device="cuda")
    mask = torch.randint(19, (2, 96, 64), dtype=torch.uint8, device="cuda")
    image = image.contiguous(memory_format=torch.channels_last)
    assert kernels_for(torch.zeros_like(image, dtype=torch.float32)) is ON_GPU
    gradients = []
    for plain in (False, True):
        torch.manual_seed(1)  # of drop path, and of the factorisation
        task.zero_grad()
        with plain_operators() if plain else nullcontext():
            with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
                loss = task.compute_loss({"image": image, "mask": mask, "path": ["made"] * 2})
            loss.backward()
        found = [one.grad.flatten() for one in task.network.parameters() if one.grad is not None]
        gradients.append(torch.cat(found).double())
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < bound
