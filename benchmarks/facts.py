"""The machine and the versions that figures belong to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import torch

NAMED = (
    "torch", "torchvision", "openvino", "timm", "segmentation-models-pytorch", "torchmetrics", "mmsegmentation",
    "mmcv-lite", "numpy", "opencv-python-headless", "foveate",
)  # fmt: skip


def gather(threads: int) -> dict[str, str]:
    """Processor, cores, memory, load, threads and versions."""
    found = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory_bytes() / 2**30:.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "threads": str(threads),
        "kernels": str(torch.backends.cpu.get_cpu_capability()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["driver"] = f"{driver()}, CUDA {torch.version.cuda}"
    return found | {name: version for name in NAMED if (version := installed(name))}


def driver() -> str:
    """Version of NVIDIA's driver, ? if its tool does not tell."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()
    except (OSError, subprocess.CalledProcessError):
        return "?"


def processor() -> str:
    """The processor's name, and whether it multiplies matrices of bf16 in hardware."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    name = fields.get("model name", platform.processor() or platform.machine())
    matrix = [
        flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in fields.get("flags", "").split()
    ]
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}; {', '.join(matrix)})"


def memory_bytes() -> int:
    """Of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def installed(name: str) -> str | None:
    """Version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
