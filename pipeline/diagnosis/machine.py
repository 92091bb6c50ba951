"""The machine: processor, threads, a container's quota, memory, devices, kernels, disks."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from foveate.datasets.cores import affinity, cpu_quota, usable_cores
from foveate.pipeline.diagnosis.findings import Section
from foveate.pipeline.runs.directories import RUNS
from foveate.plugins.cache import cache_folder

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
LEAST_FREE = 2 << 30  # bytes below which a disk is a problem


def describe_processor() -> Section:
    """Cores of the machine, those this process may use, a container's quota, and the threads that PyTorch uses."""
    import torch

    section = Section("processor")
    section.add("model", _model())
    section.add("instructions", torch.backends.cpu.get_cpu_capability())
    section.add("cores", f"{os.cpu_count()}, {affinity()} of them for this process")
    quota = cpu_quota()
    section.add("container quota", "none" if quota is None else f"{quota:g} cores")
    section.add("threads of PyTorch", torch.get_num_threads())
    section.add("set", _set(THREAD_VARIABLES))
    with suppress(OSError):
        section.add("load, 1 minute", f"{os.getloadavg()[0]:.1f}")
    if torch.get_num_threads() > usable_cores():
        section.problem(
            f"PyTorch runs {torch.get_num_threads()} threads, and {usable_cores()} cores may be used: set "
            f"OMP_NUM_THREADS={usable_cores()}"
        )
    return section


def _set(names: Iterable[str]) -> str:
    return " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ) or "nothing"


def _model() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def describe_devices() -> Section:
    """The GPUs that PyTorch finds, with memory and driver; and the memory of the machine."""
    import torch

    from foveate.pipeline.measuring.batch_size import free_memory
    from foveate.pipeline.training.preflight import shared_memory

    section = Section("devices")
    section.add("cuda", torch.version.cuda or "PyTorch was built without it")
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        section.add(f"cuda:{index}", f"{found.name}, {_size(found.total_memory)}, {found.major}.{found.minor}")
    if not torch.cuda.device_count():
        section.add("gpu", "mps" if torch.backends.mps.is_available() else "none")
    if torch.version.cuda and not torch.cuda.is_available() and Path("/dev/nvidiactl").exists():
        section.problem("there is an NVIDIA GPU, and PyTorch cannot use it: see nvidia-smi for the driver's version")
    section.add("visible", _set(("CUDA_VISIBLE_DEVICES",)))
    section.add("free memory", _size(free_memory()))
    if (shared := shared_memory()) is not None:
        section.add("free shared memory", _size(shared))
        if shared < 64 << 20:
            section.problem(
                f"{_size(shared)} of shared memory are free in /dev/shm: docker run --shm-size, or --data.num_workers 0"
            )
    return section


def describe_kernels() -> Section:
    """Whether the kernels and the reader of PNG files are compiled, and if not, why."""
    import torch

    from foveate.datasets.files.png import DECODER
    from foveate.plugins.ops.gpu import available as gpu
    from foveate.plugins.ops.native.compiled import KERNELS
    from foveate.plugins.ops.native.loading import COMPILERS, SWITCH, why_not

    section = Section("kernels")
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    section.add("compiler", compiler or "none")
    section.add("set", _set((SWITCH,)))
    told = (
        (KERNELS, "CPU kernels", "training on a CPU is slower than it could be, its kernels are"),
        (DECODER, "PNG reader", "PNG files are read at half the speed, their decoder is"),
    )
    for library, name, problem in told:
        reason = why_not(library)
        section.add(name, f"not used: {reason}" if reason else "compiled and loaded")
        if reason and os.environ.get(SWITCH) != "0" and os.name != "nt":
            section.problem(f"{problem} not compiled: {reason}")
    for index in range(torch.cuda.device_count()):
        reason = gpu.why_not(index)
        section.add(f"kernels of cuda:{index}", f"not used: {reason}" if reason else "compiled and tried")
    return section


def describe_disks() -> Section:
    """Free space where runs, cached files and temporary files are written."""
    import tempfile

    section = Section("disks")
    for name, folder in (("runs", Path(RUNS)), ("cache", _cache()), ("temporary", Path(tempfile.gettempdir()))):
        if folder is None:
            section.add(name, "no home folder")
            continue
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
        writable = "" if os.access(there, os.W_OK) else ", cannot be written"
        section.add(name, f"{_size(free)} free at {folder.absolute()}{writable}")
        if free < LEAST_FREE:
            section.problem(f"{_size(free)} are free at {folder.absolute()} ({name}): free some space")
        if writable:
            section.problem(f"{there} cannot be written ({name}): choose another folder, or change its permissions")
    return section


def _cache() -> Path | None:
    try:
        return cache_folder()
    except RuntimeError:
        return None


def _size(count: float) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
