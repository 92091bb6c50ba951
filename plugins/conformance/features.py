"""What goes in comes out: shape, widths, batch of one, dtype, memory layout, device."""

from __future__ import annotations

import inspect
import re

import torch
from torch import Tensor, nn

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import SIZE, Size, Subject, call, is_close, lacks_kernel

SIZES: tuple[Size, ...] = ((1, 1), (1, 7), (7, 1), (33, 65))
WIDTH_NAMES = {
    *(
        "channels",
        "channel",
        "in_channels",
        "in_channel",
        "num_channels",
        "n_channels",
        "in_chs",
        "chs",
        "ch",
        "c",
        "c1",
    ),
    *("dim", "dims", "in_dim", "embed_dim", "width", "features", "num_features", "in_features", "planes", "inplanes"),
    *("in_planes", "inp", "filters", "nf", "d_model", "hidden_size"),
}
OTHER_NAMES = re.compile(
    "kernel|ratio|reduction|group|head|drop|stride|dilation|padding|size|bias|eps|depth|rank|gamma"
)
WIDTHS = (8, 24, 40, 64, 160, 512)  # not only powers of two: encoders have others


@rule(
    "builds",
    advice="build(channels, **options), the width first, must give an nn.Module that maps (B, C, H, W) to a tensor of "
    "the same shape",
)
def build_and_run(subject: Subject) -> str:
    """The block is built, and takes features."""
    _expect_width_first(subject)
    module: object = subject.module()
    if not isinstance(module, nn.Module):
        raise BrokenRuleError(f"build gave a {type(module).__name__}, not an nn.Module")
    out: object = call(module, subject.features())
    if not isinstance(out, Tensor):
        raise BrokenRuleError(f"the block gave a {type(out).__name__}, not a tensor")
    _expect_shape(out, subject.features())
    return f"{sum(p.numel() for p in module.parameters()):,} parameters at {subject.channels} channels"


@rule(
    "shape", advice="pad before and crop after anything that needs an even size; resize to x.shape[2:], not by a factor"
)
def keep_shape(subject: Subject) -> str:
    """Features keep their shape at any size."""
    for size in SIZES:
        x = subject.features(size)
        _expect_shape(call(subject.module(), x), x)
    return ", ".join(f"{height} x {width}" for height, width in SIZES)


@rule("widths", advice="let inner widths follow `channels` (and have a floor), or declare multiple_of in the record")
def keep_widths(subject: Subject) -> str:
    """Any width from 8 to 512 will do, in multiples of what the record says."""
    widths = sorted({subject.width(width) for width in WIDTHS})
    for width in widths:
        x = subject.features((4, 6), channels=width)
        try:
            out = call(subject.module(channels=width), x)
        except Exception as error:
            raise BrokenRuleError(f"at {width} channels: {type(error).__name__}: {error}") from error
        _expect_shape(out, x)
    return ", ".join(map(str, widths))


@rule(
    "batch of one",
    advice="no BatchNorm after global pooling: one value has no variance; use LayerNorm, or none (evaluation and "
    "training of single images are common)",
)
def take_one_sample(subject: Subject) -> None:
    """One sample will do: in evaluation, and in training from two positions on."""
    for size, training in ((SIZE, False), ((1, 1), False), (SIZE, True), ((1, 2), True), ((2, 1), True)):
        x = subject.features(size, batch=1)
        try:
            out = call(subject.module().train(training), x)
        except Exception as error:
            mode = "training" if training else "evaluation"
            raise BrokenRuleError(f"{mode} of one sample of {size[0]} x {size[1]}: {error}") from error
        _expect_shape(out, x)


@rule(
    "dtype",
    advice="make constants with dtype=x.dtype (or register buffers, which follow .to), and end with .to(x.dtype) where "
    "something in between is computed in float32",
)
def keep_dtype(subject: Subject) -> str:
    """Features keep their dtype: in float32, float64, bfloat16, and under bfloat16 autocast."""
    tried = ["float32"]
    for size in (SIZE, *SIZES):  # small maps may take another way through the block
        out = call(subject.module(), subject.features(size))
        _expect_dtype(out, torch.float32, f"float32 features of {size[0]} x {size[1]}")
    for dtype in (torch.float64, torch.bfloat16):
        module, x = subject.module().to(dtype), subject.features().to(dtype)
        try:
            out = call(module, x)
        except RuntimeError as error:
            if not lacks_kernel(error):
                raise BrokenRuleError(f"a module and features in {_name(dtype)}: {error}") from error
            continue
        _expect_dtype(out, dtype, f"a module and features in {_name(dtype)}")
        tried.append(_name(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        # a convolution's answer is bfloat16 here, a product with the features float32: both are right
        from_float = call(subject.module(), subject.features())
        from_bfloat = call(subject.module(), subject.features().bfloat16())
    if from_float.dtype not in (torch.float32, torch.bfloat16):
        raise BrokenRuleError(f"float32 features under bfloat16 autocast came out as {_name(from_float.dtype)}")
    _expect_dtype(from_bfloat, torch.bfloat16, "bfloat16 features under autocast")
    return ", ".join([*tried, "autocast"])


@rule(
    "channels_last",
    advice="avoid .contiguous(), .view and torch.stack on the way out; products, convolutions and transposed views "
    "keep the layout, and .contiguous(memory_format=torch.channels_last) restores it",
)
def keep_layout(subject: Subject) -> None:
    """Features in channels_last give the same numbers, and come out in channels_last."""
    x = subject.features()
    module = subject.module().to(memory_format=torch.channels_last)
    out = call(module, x.contiguous(memory_format=torch.channels_last))
    if not is_close(out, call(subject.module(), x)):
        raise BrokenRuleError("other numbers come out than in the default layout")
    if not out.is_contiguous(memory_format=torch.channels_last):
        raise BrokenRuleError(f"the output has strides {out.stride()}, not those of channels_last")


def _expect_width_first(subject: Subject) -> None:
    """Refuse a callable whose first parameter is not the width: the number would become a kernel or a ratio."""
    try:
        parameters = list(inspect.signature(subject.build.target).parameters.values())
    except (TypeError, ValueError):  # written in C
        return
    names = [parameter.name for parameter in parameters]
    first = parameters[0] if parameters else None
    if first is None or first.name in WIDTH_NAMES or first.kind in (first.VAR_POSITIONAL, first.VAR_KEYWORD):
        return
    other = next((name for name in names[1:] if name in WIDTH_NAMES), None)
    takes_another = isinstance(first.default, float | str | bool | tuple | list)
    if other is not None or takes_another or OTHER_NAMES.search(first.name):
        where = f"; the width is its {names.index(other) + 1}. parameter, {other!r}" if other else ""
        raise BrokenRuleError(f"the width lands in {first.name!r}, the first parameter of {names}{where}")


def _expect_shape(out: Tensor, x: Tensor) -> None:
    if out.shape != x.shape:
        raise BrokenRuleError(f"features {tuple(x.shape)} came out as {tuple(out.shape)}")


def _expect_dtype(out: Tensor, dtype: torch.dtype, given: str) -> None:
    if out.dtype != dtype:
        raise BrokenRuleError(f"{given} came out as {_name(out.dtype)}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
