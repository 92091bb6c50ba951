"""torch.compile for networks: what is compiled, and whether this machine can compile at all."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from foveate.pipeline.errors import ConfigError


def compile_network(network: nn.Module, backend: str | Callable[..., Any] = "inductor") -> None:
    """Send a network through torch.compile, in place: names in checkpoints stay.

    The network is compiled whole at its first call, and so is each of its parts for who calls it alone: a loss on
    coarse logits calls encoder and decoder, and a ViT calls methods of its encoder.

    Args:
        network: The network.
        backend: What compiles, as torch.compile takes it.
    """
    for module in (network, *network.children()):
        module.compile(backend=backend)


def require_compiler(device: torch.device, instead: str) -> None:
    """Check that what torch.compile calls is here: else it fails at the first image.

    Args:
        device: Where the network runs.
        instead: What to do without a compiler.

    Raises:
        ConfigError: There is none.
    """
    if device.type == "cuda" and find_spec("triton") is None:
        raise ConfigError(f"torch.compile needs Triton on a GPU, and there is none; pip install triton, or {instead}")
    if device.type == "cpu":
        wanted, language, package, variable = compiler_of_torch(), "C++", "g++", "CXX"
    elif device.type == "cuda":
        wanted, language, package, variable = compiler_of_triton(), "C", "gcc", "CC"
    else:
        return
    if shutil.which(next(iter(shlex.split(wanted)), "")) is None:
        raise ConfigError(
            f"torch.compile needs a {language} compiler, and there is no {wanted!r}; install one (Debian, Ubuntu: apt "
            f"install {package}), name another in the environment variable {variable}, or {instead}"
        )


def compiler_of_torch() -> str:
    """The compiler's command: CXX if it is set, else that of the system."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    return os.environ.get("CXX") or usual


def compiler_of_triton() -> str:
    """The compiler's command that Triton calls to build what starts its kernels: CC if it is set, else gcc or clang."""
    return os.environ.get("CC") or next(filter(shutil.which, ("gcc", "clang")), "gcc")
