"""Native kernels in C++ for training on a CPU, compiled on this machine; each has an alternative in plain PyTorch.

The kernels are compiled at their first use and cached (see `plugins.cache`). Without a compiler, on Windows, or
with FOVEATE_NATIVE=0 in the environment, PyTorch's operators are used.
"""
