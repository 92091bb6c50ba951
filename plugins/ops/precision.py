"""Dtypes and autocast for operators that half precision is not enough for."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def exact_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for float16 and bfloat16, else the dtype itself.

    Example:
        >>> exact_dtype(torch.bfloat16), exact_dtype(torch.float64)
        (torch.float32, torch.float64)
    """
    return torch.promote_types(dtype, torch.float32)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context with autocast disabled, on devices that support autocast."""
    kind = device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
