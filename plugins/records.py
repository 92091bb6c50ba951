"""Records: what a plugin offers. They are frozen data classes that can be read without importing torch."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from torch import nn

API_VERSION = 1
Kind = Literal["channel", "spatial", "channel+spatial", "3-D", "global"]
KINDS: tuple[str, ...] = ("channel", "spatial", "channel+spatial", "3-D", "global")
TASKS = ("", "segmentation", "classification")
Build = Callable[..., "nn.Module"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The fields that every record has.

    Args:
        name: Its name in recipes.
        summary: Description of one line for `foveate plugins list`.
        build: A callable that builds the module, or its "module:attribute", which is imported only when needed.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: Version of the plugin interface that the plugin was written for.
    """

    noun: ClassVar[str] = "record"
    what: ClassVar[str] = "all"  # the word for all of its kind in `foveate plugins list --what`
    given: ClassVar[tuple[str, ...]] = ()  # the parameters of `build` that Foveate passes; the others are options

    name: str
    summary: str
    build: str | Build
    paper: str = ""
    api: int = API_VERSION

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(
                f"a {self.noun}'s name is letters, digits, '-' and '_', beginning with a letter, not {self.name!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Block(Record):
    """An attention block: it maps a feature map (B, C, H, W) to one of the same shape and dtype.

    Args:
        name: Its name in recipes.
        summary: Description of one line for `foveate plugins list`.
        kind: The axes that its weights vary along: channel, spatial, channel+spatial, 3-D (both at once); or global.
        build: `build(channels, **options) -> nn.Module`, or its "module:attribute", which is imported only when needed.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        multiple_of: The number of channels must be a multiple of this.
        api: Version of the plugin interface that the plugin was written for.

    Example:
        >>> Block(name="se", summary="Squeeze", kind="channel", build="my_package.block:SqueezeExcitation").kind
        'channel'
    """

    noun: ClassVar[str] = "block"
    what: ClassVar[str] = "blocks"
    given: ClassVar[tuple[str, ...]] = ("channels",)

    kind: Kind
    multiple_of: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise ValueError(f"block {self.name!r}: kind is one of {', '.join(KINDS)}, not {self.kind!r}")


@dataclass(frozen=True, kw_only=True)
class Encoder(Record):
    """A network that computes feature maps from an image (B, I, H, W), finest first.

    Args:
        name: Its name in recipes; a segmenter is named `encoder+decoder`.
        summary: Description of one line for `foveate plugins list`.
        build: `build(name, *, in_channels, attention, **options) -> nn.Module`. The module returns a tuple of feature
            maps, and has `channels` and `strides`: one number for each. `attention` maps slots to blocks.
        classifier: `build(name, *, num_classes, in_channels, attention, **options) -> nn.Module` with `encoder` and
            `head`, for an encoder with its own head. Without it the classifier averages the last feature map.
        prefix: Whether the record answers every name that begins with `name:`; `build` gets the whole name.
        names: Lists the names behind a prefix, as `"module:function"` or the function; called only for the message
            about an unknown name.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: Version of the plugin interface that the plugin was written for.

    Example:
        >>> Encoder(name="tiny", summary="Three convolutions", build="my_package.tiny:create").prefix
        False
    """

    noun: ClassVar[str] = "encoder"
    what: ClassVar[str] = "encoders"
    given: ClassVar[tuple[str, ...]] = ("name", "in_channels", "attention", "num_classes")

    classifier: str | Build | None = None
    prefix: bool = False
    names: str | Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoder(Record):
    """A network that computes class logits from an encoder's feature maps.

    Args:
        name: Its name in recipes; a segmenter is named `encoder+decoder`.
        summary: Description of one line for `foveate plugins list`.
        build: `build(name, *, in_channels, strides, num_classes, attention, **options) -> nn.Module`. The module gets
            all feature maps of the encoder, returns logits, and has `stride`: the stride of the logits.
        prefix: Whether the record answers every name that begins with `name:`; `build` gets the whole name.
        names: Lists the names behind a prefix, as `"module:function"` or the function; called only for the message
            about an unknown name.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: Version of the plugin interface that the plugin was written for.

    Example:
        >>> Decoder(name="linear", summary="1 x 1 convolution", build="my_package.linear:create").noun
        'decoder'
    """

    noun: ClassVar[str] = "decoder"
    what: ClassVar[str] = "decoders"
    given: ClassVar[tuple[str, ...]] = ("name", "in_channels", "strides", "num_classes", "attention")

    prefix: bool = False
    names: str | Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Loss(Record):
    """A loss: what training minimises.

    Args:
        name: Its name in recipes.
        summary: Description of one line for `foveate plugins list`.
        build: `build(num_classes, **options) -> nn.Module`. The module maps float32 logits (B, K, ...) and labels
            (B, ...) to a scalar. In label maps 255 is ignored; the labels of images are all classes. The labels
            contain no blanks; a label map may be 255 throughout.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: Version of the plugin interface that the plugin was written for.

    Example:
        >>> Loss(name="hinge", summary="Margin", build="my_package.hinge:Hinge").name
        'hinge'
    """

    noun: ClassVar[str] = "loss"
    what: ClassVar[str] = "losses"
    given: ClassVar[tuple[str, ...]] = ("num_classes",)


@dataclass(frozen=True, kw_only=True)
class Metric(Record):
    """A metric that evaluation reports in addition to the task's own.

    Args:
        name: Its name in recipes and logs: `val/<name>`.
        summary: Description of one line for `foveate plugins list`.
        build: `build(num_classes, **options) -> torchmetrics.Metric`, updated with logits (B, K, ...) and labels
            (B, ...) that contain no blanks; `compute` gives a scalar. In label maps 255 is ignored; the labels of
            images are all classes.
        paper: Where the idea was published, such as "arXiv:1709.01507".
        api: Version of the plugin interface that the plugin was written for.
        task: What it is for: segmentation, classification, or both where it is empty.

    Example:
        >>> Metric(name="ece", summary="Calibration", build="my_package.ece:Calibration").noun
        'metric'
    """

    noun: ClassVar[str] = "metric"
    what: ClassVar[str] = "metrics"
    given: ClassVar[tuple[str, ...]] = ("num_classes",)

    task: Literal["", "segmentation", "classification"] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task not in TASKS:
            raise ValueError(f"metric {self.name!r}: task is segmentation, classification or empty, not {self.task!r}")


@dataclass(frozen=True, kw_only=True)
class DataSet(Record):
    """A data set, as a class of Lightning's data modules.

    Args:
        name: Its name in recipes and commands: `data: {class_path: NAME}`, `--data NAME`, `--dataset NAME`.
        summary: Description of one line for `foveate plugins list --what data`.
        build: The class, or its "module:Class", which is imported only when needed. Its `label_set` names the classes,
            and its argument `root` is the data set's folder, if it has one.
        detect: `detect(root: Path) -> bool`, or its "module:function": whether a folder holds this data set. Commands
            such as `foveate data check FOLDER` ask it; without it the data set has to be named.
        homepage: Where the data can be had.
        licence: What its owners allow, in a few words.
        paper: Where it was published, such as "arXiv:1604.01685".
        api: Version of the plugin interface that the plugin was written for.

    Example:
        >>> DataSet(name="leaves", summary="Leaves of 12 trees", build="my_package.leaves:LeavesDataModule").what
        'data'
    """

    noun: ClassVar[str] = "data set"
    what: ClassVar[str] = "data"
    given: ClassVar[tuple[str, ...]] = ("root",)

    detect: str | Callable[[Path], bool] | None = None
    homepage: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.build, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", self.build)
        if not (named or isinstance(self.build, type)):
            raise ValueError(f'data set {self.name!r}: build is a class, or "module:Class", not {self.build!r}')

    @property
    def class_path(self) -> str:
        """The import path of the class, as recipes write it."""
        if isinstance(self.build, str):
            return self.build.replace(":", ".")
        return f"{self.build.__module__}.{getattr(self.build, '__qualname__', '')}"


def resolve(build: str | Callable[..., Any]) -> Callable[..., Any]:
    """The callable that a record's `build` names.

    Args:
        build: A callable, or "module:attribute" of one.

    Raises:
        ImportError: The module cannot be imported.
        AttributeError: The module has no such attribute.
        TypeError: The attribute is not callable.
    """
    if not isinstance(build, str):
        return build
    module, _, attribute = build.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if not callable(target):
        raise TypeError(f"{build} is not callable")
    found: Callable[..., Any] = target
    return found
