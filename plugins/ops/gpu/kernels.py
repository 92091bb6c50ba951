"""The kernels of depthwise convolution, in Triton. A feature map is read in channels_last; sums are in float32."""

import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]

PLAIN = tl.constexpr(0)
GELU = tl.constexpr(1)
ADDED = tl.constexpr(2)
OF_GELU = tl.constexpr(3)


@triton.jit
def gelu(x):  # type: ignore[no-untyped-def]
    return 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def gelu_slope(x):  # type: ignore[no-untyped-def]
    return 0.5 * (1.0 + tl.erf(x * 0.7071067811865476)) + x * tl.exp(-0.5 * x * x) * 0.3989422804014327


# Triton compiles one kernel for all values of these arguments; of others it compiles one for multiples of 16 too.
SIZES = ["positions", "height", "width", "rows", "columns", "dilation"]


@triton.jit(do_not_specialize=SIZES)  # type: ignore[untyped-decorator]
def convolve(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    grad,
    out,
    positions,
    height,
    width,
    channels,
    rows,
    columns,
    dilation,
    HAS_BIAS: tl.constexpr,
    FLIPPED: tl.constexpr,
    MODE: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """A block of positions and channels of the output.

    FLIPPED turns the kernel by half a turn, for the gradient of the input. MODE stores the sum, its GELU, adds it to
    what is there, or stores `grad` times the slope of GELU at it.
    """
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * LANES + tl.arange(0, LANES)
    row, column = (place // width) % height, place % width
    is_channel = channel < channels
    is_inside = (place < positions)[:, None] & is_channel[None, :]
    total = tl.zeros((BLOCK, LANES), tl.float32)
    if HAS_BIAS:
        total += tl.load(bias + channel, mask=is_channel, other=0.0).to(tl.float32)[None, :]
    taps = rows * columns
    for tap in range(taps):
        down = (tap // columns - rows // 2) * dilation
        across = (tap % columns - columns // 2) * dilation
        is_on_map = (row + down >= 0) & (row + down < height) & (column + across >= 0) & (column + across < width)
        where = (place + down * width + across)[:, None] * channels + channel[None, :]
        value = tl.load(x + where, mask=is_inside & is_on_map[:, None], other=0.0).to(tl.float32)
        number = taps - 1 - tap if FLIPPED else tap
        factor = tl.load(weight + channel * taps + number, mask=is_channel, other=0.0).to(tl.float32)
        total += value * factor[None, :]
    here = place[:, None] * channels + channel[None, :]
    if MODE == GELU:
        total = gelu(total)
    if MODE == ADDED:
        total += tl.load(out + here, mask=is_inside, other=0.0).to(tl.float32)
    if MODE == OF_GELU:
        total = gelu_slope(total) * tl.load(grad + here, mask=is_inside, other=0.0).to(tl.float32)
    tl.store(out + here, total.to(out.dtype.element_ty), mask=is_inside)


@triton.jit(do_not_specialize=SIZES)  # type: ignore[untyped-decorator]
def correlate(  # type: ignore[no-untyped-def]
    x,
    grad,
    out,
    positions,
    height,
    width,
    channels,
    rows,
    columns,
    dilation,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """What a block of positions adds to the gradients of the kernel and, in the last row, of the bias.

    Blocks are summed afterwards, in a fixed order. `out` is (blocks, rows * columns + 1, channels).
    """
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * LANES + tl.arange(0, LANES)
    row, column = (place // width) % height, place % width
    is_channel = channel < channels
    is_inside = (place < positions)[:, None] & is_channel[None, :]
    here = place[:, None] * channels + channel[None, :]
    given = tl.load(grad + here, mask=is_inside, other=0.0).to(tl.float32)
    taps = rows * columns
    line = out + tl.program_id(0) * (taps + 1) * channels + channel
    for tap in range(taps):
        down = (tap // columns - rows // 2) * dilation
        across = (tap % columns - columns // 2) * dilation
        is_on_map = (row + down >= 0) & (row + down < height) & (column + across >= 0) & (column + across < width)
        where = (place + down * width + across)[:, None] * channels + channel[None, :]
        value = tl.load(x + where, mask=is_inside & is_on_map[:, None], other=0.0).to(tl.float32)
        tl.store(line + tap * channels, tl.sum(value * given, axis=0), mask=is_channel)
    tl.store(line + taps * channels, tl.sum(given, axis=0), mask=is_channel)
