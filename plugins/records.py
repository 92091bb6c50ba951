"""What a plugin hands over: frozen records, read without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from torch import nn

API_VERSION = 1
Kind = Literal["channel", "spatial", "channel+spatial", "3-D", "global"]
KINDS: tuple[str, ...] = ("channel", "spatial", "channel+spatial", "3-D", "global")
Build = Callable[..., "nn.Module"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every record says.

    Args:
        name: What a recipe calls it.
        summary: One line for `foveate plugins list`.
        build: A callable that makes the module, or "module:attribute" of it, imported only when built.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: The version of this interface that the plugin was written for.
    """

    noun: ClassVar[str] = "record"
    given: ClassVar[tuple[str, ...]] = ()  # what Foveate passes to `build`; the rest of its parameters are options

    name: str
    summary: str
    build: str | Build
    paper: str = ""
    api: int = API_VERSION

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"a {self.noun}'s name is letters, digits, '-' and '_', a letter first: {self.name!r}")


@dataclass(frozen=True, kw_only=True)
class Block(Record):
    """An attention block: features (B, C, H, W) in, the same shape and dtype out.

    Args:
        name: What a recipe calls it.
        summary: One line for `foveate plugins list`.
        kind: Along which axes it weighs: channel, spatial, channel+spatial, 3-D (both at once), global.
        build: `build(channels, **options) -> nn.Module`, or "module:attribute" of it, imported only when built.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        multiple_of: The number of channels must divide by this.
        api: The version of this interface that the plugin was written for.

    Example:
        >>> Block(name="se", summary="Squeeze", kind="channel", build="my_package.block:SqueezeExcitation").kind
        'channel'
    """

    noun: ClassVar[str] = "block"
    given: ClassVar[tuple[str, ...]] = ("channels",)

    kind: Kind
    multiple_of: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise ValueError(f"block {self.name!r}: kind is one of {', '.join(KINDS)}, not {self.kind!r}")


@dataclass(frozen=True, kw_only=True)
class Encoder(Record):
    """A network that turns an image (B, I, H, W) into features, finest first.

    Args:
        name: What a recipe calls it; a segmenter is named `encoder+decoder`.
        summary: One line for `foveate plugins list`.
        build: `build(name, *, in_channels, attention, **options) -> nn.Module` with `channels` and `strides`, a number
            for each feature; calling the module gives the features as a tuple. `attention` maps slots to blocks.
        classifier: `build(name, *, num_classes, in_channels, attention, **options) -> nn.Module` with `encoder` and
            `head`, for an encoder with a head of its own; without it the last feature is averaged and classified.
        prefix: It answers every name that begins with `name:`, and is built with the whole.
        names: Lists the names behind a prefix, as `"module:function"` or the function; asked only to answer a name that
            does not exist.
        paper: Where the idea was published.
        api: The version of this interface that the plugin was written for.

    Example:
        >>> Encoder(name="tiny", summary="Three convolutions", build="my_package.tiny:create").prefix
        False
    """

    noun: ClassVar[str] = "encoder"
    given: ClassVar[tuple[str, ...]] = ("name", "in_channels", "attention", "num_classes")

    classifier: str | Build | None = None
    prefix: bool = False
    names: str | Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoder(Record):
    """A network that turns an encoder's features into class logits.

    Args:
        name: What a recipe calls it; a segmenter is named `encoder+decoder`.
        summary: One line for `foveate plugins list`.
        build: `build(name, *, in_channels, strides, num_classes, attention, **options) -> nn.Module` with `stride`,
            that of its logits. It is given all features of the encoder, and takes those it wants.
        prefix: It answers every name that begins with `name:`, and is built with the whole.
        names: Lists the names behind a prefix, as `"module:function"` or the function; asked only to answer a name that
            does not exist.
        paper: Where the idea was published.
        api: The version of this interface that the plugin was written for.

    Example:
        >>> Decoder(name="linear", summary="1 x 1 convolution", build="my_package.linear:create").noun
        'decoder'
    """

    noun: ClassVar[str] = "decoder"
    given: ClassVar[tuple[str, ...]] = ("name", "in_channels", "strides", "num_classes", "attention")

    prefix: bool = False
    names: str | Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Loss(Record):
    """What training minimises.

    Args:
        name: What a recipe calls it.
        summary: One line for `foveate plugins list`.
        build: `build(num_classes, **options) -> nn.Module`; called with float32 logits (B, K, ...) and labels (B, ...),
            255 being ignored in label maps, it gives a scalar.
        paper: Where the idea was published.
        api: The version of this interface that the plugin was written for.

    Example:
        >>> Loss(name="hinge", summary="Margin", build="my_package.hinge:Hinge").name
        'hinge'
    """

    noun: ClassVar[str] = "loss"
    given: ClassVar[tuple[str, ...]] = ("num_classes",)


@dataclass(frozen=True, kw_only=True)
class Metric(Record):
    """A figure that evaluation reports beside the task's own.

    Args:
        name: What a recipe calls it, and under which it is logged: `val/<name>`.
        summary: One line for `foveate plugins list`.
        build: `build(num_classes, **options) -> torchmetrics.Metric`, updated with logits (B, K, ...) and labels
            (B, ...), 255 being ignored in label maps; `compute` gives a scalar.
        paper: Where the idea was published.
        api: The version of this interface that the plugin was written for.

    Example:
        >>> Metric(name="ece", summary="Calibration", build="my_package.ece:Calibration").noun
        'metric'
    """

    noun: ClassVar[str] = "metric"
    given: ClassVar[tuple[str, ...]] = ("num_classes",)


def resolve(build: str | Callable[..., Any]) -> Callable[..., Any]:
    """The callable behind a record's `build`.

    Raises:
        ImportError, AttributeError: The string names nothing that can be imported.
        TypeError: What it names cannot be called.
    """
    if not isinstance(build, str):
        return build
    module, _, attribute = build.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if not callable(target):
        raise TypeError(f"{build} is not callable")
    found: Callable[..., Any] = target
    return found
