"""What a plugin hands over: frozen records, read without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

API_VERSION = 1
Kind = Literal["channel", "spatial", "channel+spatial", "3-D", "global"]
KINDS: tuple[str, ...] = ("channel", "spatial", "channel+spatial", "3-D", "global")


@dataclass(frozen=True, kw_only=True)
class Block:
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

    name: str
    summary: str
    kind: Kind
    build: str | Callable[..., nn.Module]
    paper: str = ""
    multiple_of: int = 1
    api: int = API_VERSION

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"a block's name is letters, digits, '-' and '_', a letter first: {self.name!r}")
        if self.kind not in KINDS:
            raise ValueError(f"block {self.name!r}: kind is one of {', '.join(KINDS)}, not {self.kind!r}")


def resolve(build: str | Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """The callable behind a record's `build`.

    Raises:
        ImportError, AttributeError: The string names nothing that can be imported.
    """
    if not isinstance(build, str):
        return build
    module, _, attribute = build.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if not callable(target):
        raise TypeError(f"{build} is not callable")
    found: Callable[..., nn.Module] = target
    return found
