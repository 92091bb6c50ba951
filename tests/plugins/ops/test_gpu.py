"""The kernels for a GPU, as far as a machine without one can tell; `tests/devices` has the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from foveate.plugins.ops.gpu import available
from foveate.plugins.ops.gpu import depthwise as gpu
from foveate.plugins.ops.kernels import ON_CPU, kernels_for
from foveate.plugins.ops.native import depthwise as native

BOUNDS = {"float32": 2e-6, "bfloat16": 2e-2, "float16": 2e-3}
SIZES = ("positions", "height", "width", "channels", "rows", "columns", "dilation")
VERSION = (3, 3)  # of Triton, from which on a kernel is described to its compiler as here


@pytest.mark.slow
def test_interpreted_kernels_give_the_numbers_of_pytorch() -> None:
    pytest.importorskip("triton")
    words = [sys.executable, "-m", "foveate.tests.plugins.ops.interpreted"]
    done = subprocess.run(words, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("calls") == 0
    assert len(found) == 30
    for name, off in found.items():
        dtype = next(dtype for dtype in BOUNDS if f" {dtype}" in f" {name.replace(',', ' ')}")
        assert off < BOUNDS[dtype], name


@pytest.mark.parametrize(
    ("kind", "capability"),
    [("bf16", 90), *(pytest.param(kind, 80, marks=pytest.mark.slow) for kind in ("fp32", "bf16", "fp16"))],
)
def test_kernels_compile_without_a_gpu(
    kind: str, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = pytest.importorskip("triton")
    if tuple(map(int, triton.__version__.split(".")[:2])) < VERSION:
        pytest.skip("an older Triton takes another description of a kernel")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from foveate.plugins.ops.gpu import kernels

    blocks = {"BLOCK": gpu.BLOCK, "LANES": gpu.LANES}
    modes = [mode.value for mode in (kernels.PLAIN, kernels.GELU, kernels.ADDED, kernels.OF_GELU)]
    todo = [(kernels.correlate, {"BLOCK": gpu.BLOCK_OF_GRADIENT, "LANES": gpu.LANES})]
    todo += [(kernels.convolve, {**blocks, "HAS_BIAS": True, "FLIPPED": mode == 2, "MODE": mode}) for mode in modes]
    for kernel, constants in todo:
        names = [parameter.name for parameter in kernel.params]
        kinds = {name: "i32" if name in SIZES else f"*{kind}" for name in names} | dict.fromkeys(constants, "constexpr")
        aligned = {(at,): [["tt.divisibility", 16]] for at, name in enumerate(names) if kinds[name].startswith("*")}
        source = ASTSource(fn=kernel, signature=kinds, constexprs=constants, attrs=aligned)
        assert triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm["cubin"]


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU, as far as PyTorch says."""
    monkeypatch.delenv("FOVEATE_NATIVE", raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    available.why_not.cache_clear()
    yield
    available.why_not.cache_clear()


def test_a_feature_map_on_a_cpu_goes_to_the_kernels_of_a_cpu() -> None:
    x = torch.ones(1, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    assert not available.takes(x)
    assert kernels_for(x) is (ON_CPU if native.takes(x) else None)


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch knows no CUDA")
def test_fake_tensors_of_a_gpu_go_to_pytorch() -> None:
    with FakeTensorMode(), torch.no_grad():
        x = torch.empty(1, 8, 4, 4, device="cuda", memory_format=torch.channels_last)
        assert x.is_cuda
        assert not available.takes(x)


def test_a_gpu_on_which_a_trial_fails_is_left_to_pytorch(ampere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(device: torch.device) -> object:
        raise RuntimeError("Failed to find C compiler.\n Please specify via CC")

    monkeypatch.setattr(available, "_trial", fail)
    assert available.why_not(0) == "Failed to find C compiler. Please specify via CC"


def test_a_gpu_on_which_a_trial_gives_wrong_numbers_is_left_to_pytorch(
    ampere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(available, "_trial", lambda device: [[4.0, 6.0, 4.0]] * 3)
    assert "wrong numbers" in available.why_not(0)
    available.why_not.cache_clear()
    monkeypatch.setattr(available, "_trial", lambda device: available.EXPECTED)
    assert available.why_not(0) == ""


def test_older_gpus_others_and_a_switch_leave_it_to_pytorch(ampere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "_trial", lambda device: pytest.fail("nothing is tried there"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert available.why_not(0) == "compute capability 7.5, and at least 8.0 is needed"
    available.why_not.cache_clear()
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert "NVIDIA" in available.why_not(0)
    available.why_not.cache_clear()
    monkeypatch.setenv("FOVEATE_NATIVE", "0")
    assert "FOVEATE_NATIVE=0" in available.why_not(0)


def test_other_strides_are_refused_by_the_kernels() -> None:
    x = torch.ones(1, 8, 4, 4)
    with pytest.raises(ValueError, match="stride 1, not 2"):
        gpu.backward(x, x, torch.ones(8, 1, 3, 3), None, stride=2)
