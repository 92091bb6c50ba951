"""Rules on the output: shape, number of channels, batches of one, dtype and memory layout."""

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
WIDTHS = (8, 24, 40, 64, 160, 512)  # not only powers of two, since encoders use others


@rule(
    "builds",
    advice="build(channels, **options), with the number of channels first, must return an nn.Module that maps "
    "(B, C, H, W) to a tensor of the same shape",
)
def build_and_run(subject: Subject) -> str:
    """The block can be built, and runs on a feature map."""
    _expect_width_first(subject)
    module: object = subject.module()
    if not isinstance(module, nn.Module):
        raise BrokenRuleError(f"build returned a {type(module).__name__}, not an nn.Module")
    out: object = call(module, subject.features())
    if not isinstance(out, Tensor):
        raise BrokenRuleError(f"the block returned a {type(out).__name__}, not a tensor")
    _expect_shape(out, subject.features())
    return f"{sum(p.numel() for p in module.parameters()):,} parameters at {subject.channels} channels"


@rule(
    "shape", advice="pad before and crop after anything that needs an even size; resize to x.shape[2:], not by a factor"
)
def keep_shape(subject: Subject) -> str:
    """The output has the shape of the input, at any height and width."""
    for size in SIZES:
        x = subject.features(size)
        _expect_shape(call(subject.module(), x), x)
    return ", ".join(f"{height} x {width}" for height, width in SIZES)


@rule("widths", advice="derive hidden widths from `channels` (at least 1), or declare multiple_of in the record")
def keep_widths(subject: Subject) -> str:
    """The block accepts any number of channels from 8 to 512 that is a multiple of `multiple_of`."""
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
    advice="use no BatchNorm after global pooling, since a single value has no variance: use LayerNorm or no norm "
    "(evaluating and training on single images is common)",
)
def take_one_sample(subject: Subject) -> None:
    """A batch of one sample works: in evaluation, and in training on maps of two or more positions."""
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
    advice="create constants with dtype=x.dtype (or register buffers, which .to converts), and end with .to(x.dtype) "
    "where an intermediate result is computed in float32",
)
def keep_dtype(subject: Subject) -> str:
    """The output has the dtype of the input: float32, float64, bfloat16, and under bfloat16 autocast."""
    tried = ["float32"]
    for size in (SIZE, *SIZES):  # the block may take another branch for small feature maps
        out = call(subject.module(), subject.features(size))
        _expect_dtype(out, torch.float32, f"float32 input of {size[0]} x {size[1]}")
    for dtype in (torch.float64, torch.bfloat16):
        module, x = subject.module().to(dtype), subject.features().to(dtype)
        try:
            out = call(module, x)
        except RuntimeError as error:
            if not lacks_kernel(error):
                raise BrokenRuleError(f"module and input in {_name(dtype)}: {error}") from error
            continue
        _expect_dtype(out, dtype, f"module and input in {_name(dtype)}")
        tried.append(_name(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        # under autocast a convolution gives bfloat16, and its product with a float32 input float32: both are right
        from_float = call(subject.module(), subject.features())
        from_bfloat = call(subject.module(), subject.features().bfloat16())
    if from_float.dtype not in (torch.float32, torch.bfloat16):
        raise BrokenRuleError(f"float32 input under bfloat16 autocast: the output is {_name(from_float.dtype)}")
    _expect_dtype(from_bfloat, torch.bfloat16, "bfloat16 input under autocast")
    return ", ".join([*tried, "autocast"])


@rule(
    "channels_last",
    advice="avoid .contiguous(), .view and torch.stack for the output; products, convolutions and transposed views "
    "keep the layout, and .contiguous(memory_format=torch.channels_last) restores it",
)
def keep_layout(subject: Subject) -> None:
    """Input in channels_last gives the same values, and output in channels_last."""
    x = subject.features()
    module = subject.module().to(memory_format=torch.channels_last)
    out = call(module, x.contiguous(memory_format=torch.channels_last))
    if not is_close(out, call(subject.module(), x)):
        raise BrokenRuleError("the values differ from those in the default layout")
    if not out.is_contiguous(memory_format=torch.channels_last):
        raise BrokenRuleError(f"the output has strides {out.stride()}, not those of channels_last")


def _expect_width_first(subject: Subject) -> None:
    """Refuse a callable whose first parameter is not the number of channels, but a kernel or a ratio, for example."""
    try:
        parameters = list(inspect.signature(subject.build.target).parameters.values())
    except (TypeError, ValueError):  # a callable written in C has no signature
        return
    names = [parameter.name for parameter in parameters]
    first = parameters[0] if parameters else None
    if first is None or first.name in WIDTH_NAMES or first.kind in (first.VAR_POSITIONAL, first.VAR_KEYWORD):
        return
    other = next((name for name in names[1:] if name in WIDTH_NAMES), None)
    takes_another = isinstance(first.default, float | str | bool | tuple | list)
    if other is not None or takes_another or OTHER_NAMES.search(first.name):
        where = f"; {other!r}, parameter {names.index(other) + 1}, must come first" if other else ""
        raise BrokenRuleError(
            f"the number of channels is passed to {first.name!r}, the first parameter of {names}{where}"
        )


def _expect_shape(out: Tensor, x: Tensor) -> None:
    if out.shape != x.shape:
        raise BrokenRuleError(f"the input has shape {tuple(x.shape)}, the output {tuple(out.shape)}")


def _expect_dtype(out: Tensor, dtype: torch.dtype, given: str) -> None:
    if out.dtype != dtype:
        raise BrokenRuleError(f"{given}: the output is {_name(out.dtype)}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
