"""Kernels in Triton for training on an NVIDIA GPU; each has an alternative in plain PyTorch.

Triton comes with PyTorch on Linux. Without it, on a GPU older than Ampere, where a trial kernel cannot be compiled, or
with FOVEATE_NATIVE=0 in the environment, PyTorch's operators are used.
"""
