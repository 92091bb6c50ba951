"""The kernels of the CPU against stock operators, and what happens where they cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.plugins.ops.depthwise import DepthwiseConv2d
from foveate.plugins.ops.native import compiled
from foveate.plugins.ops.native import depthwise as native

SAID = "compiling the CPU kernels for this machine, once: about 15 seconds"
needs_kernels = pytest.mark.skipif(compiled.kernels() is None, reason="no C++ compiler, or FOVEATE_NATIVE=0")
KERNELS = [((3, 3), 1), ((5, 5), 1), ((1, 7), 1), ((1, 21), 1), ((21, 1), 1), ((7, 7), 3), ((3, 5), 2)]
SIZES = [(13, 17), (1, 1), (3, 40), (70, 24), (40, 140)]


@pytest.fixture
def fresh() -> Iterator[None]:
    """What was found out about kernels is forgotten before and after."""
    compiled.kernels.cache_clear()
    yield
    compiled.kernels.cache_clear()


def draw(channels: int, kernel: tuple[int, int], size: tuple[int, int], dtype: torch.dtype) -> list[Tensor]:
    """Map, gradient, weight and bias, of numbers that the dtype holds exactly."""
    generator = torch.Generator().manual_seed(channels)
    shapes = [(2, channels, *size), (2, channels, *size), (channels, 1, *kernel), (channels,)]
    x, grad, weight, bias = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return [x.contiguous(memory_format=torch.channels_last), grad, weight * 0.3, bias]


def expected(x: Tensor, grad: Tensor, weight: Tensor, bias: Tensor, dilation: int, gelu: bool) -> list[Tensor]:
    """Output and gradients by stock operators in float64."""
    x, weight, bias = (tensor.double().requires_grad_() for tensor in (x, weight, bias))
    padding = [dilation * (side // 2) for side in weight.shape[2:]]
    out = F.conv2d(x, weight, bias, padding=padding, dilation=dilation, groups=x.shape[1])
    out = F.gelu(out) if gelu else out
    return [out, *torch.autograd.grad(out, (x, weight, bias), grad.double())]


@needs_kernels
@pytest.mark.parametrize("gelu", [False, True], ids=["plain", "gelu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kernel", "dilation"), KERNELS, ids=str)
@pytest.mark.parametrize("channels", [8, 40])
def test_outputs_and_gradients_equal_the_stock_ones(
    channels: int, kernel: tuple[int, int], dilation: int, size: tuple[int, int], dtype: torch.dtype, gelu: bool
) -> None:
    x, grad, weight, bias = draw(channels, kernel, size, dtype)
    out = native.forward(x, weight, bias, dilation=dilation, gelu=gelu)
    gradients = native.backward(grad, x, weight, bias, dilation=dilation, gelu=gelu, wants_input=True)
    limit = 2e-6 if dtype == torch.float32 else 6e-3
    for got, wanted in zip((out, *gradients), expected(x, grad, weight, bias, dilation, gelu), strict=True):
        assert got is not None
        assert (got.double() - wanted).abs().max() <= limit * max(1e-6, wanted.abs().max().item())


@needs_kernels
def test_threads_do_not_change_a_gradient() -> None:
    x, grad, weight, bias = draw(40, (3, 3), (70, 40), torch.float32)
    before = torch.get_num_threads()
    seen = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        seen.append(native.backward(grad, x, weight, bias, dilation=1, gelu=True, wants_input=True))
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*seen, strict=True))  # type: ignore[arg-type]


@needs_kernels
def test_a_convolution_with_gelu_learns_as_the_two_apart() -> None:
    conv = DepthwiseConv2d(16, 3)
    x = torch.randn(2, 16, 9, 11).contiguous(memory_format=torch.channels_last).requires_grad_()
    out = conv.forward_gelu(x)
    assert type(out.grad_fn).__name__ == "_FusedGeluBackward"
    got = torch.autograd.grad(out.square().sum(), (x, *conv.parameters()))
    wanted = torch.autograd.grad(F.gelu(conv(x)).square().sum(), (x, *conv.parameters()))
    for one, two in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_the_plain_way_is_taken_where_kernels_are_switched_off(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")
    conv = DepthwiseConv2d(16, 3)
    x = torch.randn(1, 16, 5, 5).contiguous(memory_format=torch.channels_last)
    assert compiled.kernels() is None
    torch.testing.assert_close(conv.forward_gelu(x), F.gelu(conv(x)))


def test_a_missing_compiler_is_no_error(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert compiled.kernels() is None


def test_a_failing_compiler_is_tried_once_and_its_reason_is_warned_of(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "KERNELS", replace(compiled.KERNELS, flags=("--no-such-flag",)))
    assert compiled.kernels() is None
    (kept,) = (tmp_path / "foveate").iterdir()
    assert "no-such-flag" in kept.read_text()
    assert "no-such-flag" in caplog.records[-1].message
    assert caplog.records[-1].levelname == "WARNING"

    caplog.clear()
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("tried again"))
    compiled.kernels.cache_clear()  # as in another process
    assert compiled.kernels() is None
    assert caplog.records == []


@pytest.mark.slow
@needs_kernels
def test_a_compiler_that_was_replaced_is_tried_again(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "KERNELS", replace(compiled.KERNELS, compilers=(str(tmp_path / "broken"),)))
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert compiled.kernels() is None
    (kept,) = (tmp_path / "cache/foveate").iterdir()
    assert "exit status 3" in kept.read_text()
    broken.write_text('#!/bin/sh\nexec c++ "$@"\n')
    compiled.kernels.cache_clear()
    assert compiled.kernels() is not None


def test_a_compiler_that_hangs_is_given_up(fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hang(words: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(words, 120)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: sys.executable)
    monkeypatch.setattr(subprocess, "run", hang)
    assert compiled.kernels() is None
    assert [file.suffix for file in (tmp_path / "foveate").iterdir()] == [".failed"]


THREADS = """
import os, sys
import numpy as np
import torch
from foveate.plugins.ops.native import depthwise as native
torch.set_num_threads(int(sys.argv[1]))
x = torch.from_numpy(np.ones((1, 512, 128, 16), np.float32)).permute(0, 3, 1, 2)  # by no operator with threads
weight = torch.from_numpy(np.ones((16, 1, 3, 3), np.float32))
before = len(os.listdir("/proc/self/task"))
native.forward(x, weight, None)
print(len(os.listdir("/proc/self/task")) - before)
"""


@needs_kernels
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
@pytest.mark.parametrize("threads", [1, 3])
def test_kernels_take_the_threads_that_torch_was_given(threads: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    words = [sys.executable, "-c", THREADS, str(threads)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == threads - 1


def test_a_cache_that_cannot_be_written_is_no_error(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compiled.kernels() is None


def test_a_user_without_a_home_is_no_error(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert compiled.kernels() is None


@pytest.mark.slow
@needs_kernels
def test_kernels_are_compiled_once_and_that_is_said(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled.kernels() is not None
    (made,) = (tmp_path / "foveate").iterdir()
    written = made.stat().st_mtime_ns
    compiled.kernels.cache_clear()
    assert compiled.kernels() is not None
    assert made.stat().st_mtime_ns == written
    assert [record.message for record in caplog.records if "compiling" in record.message] == [SAID]
