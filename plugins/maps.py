"""The interface by which a module offers its attention maps, and the recording of them during one pass of a network."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.offering import offers

log = logging.getLogger(__name__)

METHOD = "maps"
Kind = Literal["channels", "positions", "attention"]


class Explainable(Protocol):
    """A module that offers attention maps. Any block, encoder or decoder may do so; `foveate explain` draws them.

    Nothing is computed or stored in an ordinary forward pass: the method is called only while maps are recorded.
    """

    def maps(self, x: Tensor) -> Mapping[str, Tensor]:
        """The attention maps for an input of `forward`, by names that a reader understands.

        It is called in evaluation mode and without gradients. For an input (B, C, H, W), a map is one of these:

        - what multiplies the features, of a shape that can be broadcast to theirs: (B, C, 1, 1) for a weight per
          channel, (B, 1, H, W) for a weight per position, (B, C, H, W) for both, (B, C, H, 1) for rows;
        - attention (B, heads, H * W, H * W), in which row n holds the weights with which position n, counted row by
          row, reads all positions.

        For tokens (B, N, D), maps are attention (B, heads, N, N). The mapping may be empty for inputs that have none.
        A subclass that overrides `forward` must also override this method, or it is not used.
        """
        ...


@dataclass(frozen=True)
class RecordedMap:
    """One map of a module, recorded in a pass of the network.

    Attributes:
        module: Name of the module in the network, such as `encoder.block4.1.attn.spatial_gating_unit`.
        block: Name of its class.
        name: The module's name for the map.
        kind: `channels` (one weight per channel), `positions` or `attention`.
        grid: Height and width of the feature map; None for tokens.
        values: In float32 on the CPU: (B, C, 1, 1), (B, C or 1, H or 1, W or 1), or attention (B, heads, N, N).
    """

    module: str
    block: str
    name: str
    kind: Kind
    grid: tuple[int, int] | None
    values: Tensor


def kind_of(values: Tensor, x: Tensor) -> Kind:
    """What a map says, by its shape.

    Args:
        values: The map.
        x: The module's input: features (B, C, H, W) or tokens (B, N, D).

    Raises:
        ValueError: The shape does not fit the input.

    Example:
        >>> x = torch.zeros(2, 8, 4, 6)
        >>> [kind_of(torch.zeros(shape), x) for shape in ((2, 8, 1, 1), (2, 1, 4, 6), (2, 3, 24, 24))]
        ['channels', 'positions', 'attention']
    """
    shape, batch = tuple(values.shape), x.shape[0]
    if x.dim() == 4 and len(shape) == 4:
        allowed = [(batch,), *({1, side} for side in x.shape[1:])]
        if all(side in sides for side, sides in zip(shape, allowed, strict=True)):
            return "channels" if shape[2:] == (1, 1) else "positions"
    positions = x.shape[2:].numel() if x.dim() == 4 else x.shape[1]
    if len(shape) == 4 and shape[0] == batch and shape[2:] == (positions, positions):
        return "attention"
    raise ValueError(
        f"a map has shape {shape}, for an input of shape {tuple(x.shape)}; accepted are shapes that can be "
        f"broadcast to features (B, C, H, W), and attention (B, heads, {positions}, {positions})"
    )


def offered_maps(module: nn.Module, x: Float[Tensor, "B ..."]) -> dict[str, Tensor]:
    """The maps that a module gives for an input, without gradients and in float32; empty if it offers none.

    Args:
        module: The module, in evaluation mode.
        x: Its input.
    """
    if not offers(type(module), METHOD):
        return {}
    with torch.no_grad():
        found = cast(Explainable, module).maps(x.detach())
    return {str(name): values.detach().float().cpu() for name, values in found.items()}


@contextmanager
def recording_maps(network: nn.Module) -> Iterator[list[RecordedMap]]:
    """Record the maps of every module of a network that offers some, for each pass inside the block.

    A module is left out, with a warning, if its `maps` raises an error or a shape is one that `kind_of` refuses.

    Args:
        network: A network in evaluation mode, or one block.

    Example:
        >>> from foveate.plugins.blocks import create_block
        >>> block = create_block("se", 8).eval()
        >>> with recording_maps(block) as recorded:
        ...     _ = block(torch.randn(1, 8, 4, 4))
        >>> [(one.name, one.kind, tuple(one.values.shape)) for one in recorded]
        [('channel weights', 'channels', (1, 8, 1, 1))]
    """
    recorder = _Recorder()
    offering = [(name, module) for name, module in network.named_modules() if offers(type(module), METHOD)]
    handles = [module.register_forward_hook(recorder.hook_of(name)) for name, module in offering]
    try:
        yield recorder.recorded
    finally:
        for handle in handles:
            handle.remove()


class _Recorder:
    """Holds what was recorded; while a module computes its maps, the modules that it calls record nothing."""

    def __init__(self) -> None:
        self.recorded: list[RecordedMap] = []
        self.busy = False

    def hook_of(self, name: str) -> Any:
        """The forward hook of a module."""

        def record(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            if self.busy or not inputs or not isinstance(inputs[0], Tensor):
                return
            self.busy = True
            try:
                self.recorded += _record(name, module, inputs[0])
            except Exception as error:  # of a plugin; the picture is drawn without it
                blamed = name or type(module).__name__
                log.warning("%s: its maps are left out: %s: %s", blamed, type(error).__name__, error)
            finally:
                self.busy = False

        return record


def _record(name: str, module: nn.Module, x: Tensor) -> list[RecordedMap]:
    grid = (x.shape[2], x.shape[3]) if x.dim() == 4 else None
    return [
        RecordedMap(name, type(module).__name__, title, kind_of(values, x), grid, values)
        for title, values in offered_maps(module, x).items()
    ]
