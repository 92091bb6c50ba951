"""The tensor shapes of every encoder, by which a file or a model is identified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.overrides import TorchFunctionMode

from foveate.pipeline.offers import foveate_encoders
from foveate.pipeline.weights.recognition import canonical, is_added, is_optional, recognise
from foveate.plugins.records import resolve

Shapes = Mapping[str, Size]
SAME = 0.9  # share of equal values from which on encoders are the same: image channels and sizes are options


FILLING = {
    "trunc_normal_",
    "constant_",
    "ones_",
    "zeros_",
    "normal_",
    "uniform_",
    "fill_",
    "zero_",
    "erfinv_",
    "mul_",
    "add_",
    "clamp_",
    "kaiming_uniform_",
}


class _ShapesOnly(TorchFunctionMode):
    """Skip the initialisation of tensors; tensors that constructors read, or draw by a generator, stay on the CPU."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func.__name__ in FILLING:
            return args[0] if args else given["tensor"]
        if func is torch.linspace or (func is torch.rand and given.get("generator")):
            given["device"] = "cpu"
        return func(*args, **given)


def shapes_of(state: Mapping[str, Tensor]) -> Shapes:
    """Shapes by our names, without optional tensors and without layers that the model adds.

    Args:
        state: The tensors, by our names.
    """
    names = {canonical(name): tensor.shape for name, tensor in state.items()}
    return {name: shape for name, shape in names.items() if not is_optional(name) and not is_added(name)}


@cache
def encoder_shapes() -> Mapping[str, Shapes]:
    """Shapes of this package's encoders, by name of the encoder; no memory is allocated for the weights."""
    return dict(_build_all())


def _build_all() -> Iterator[tuple[str, Shapes]]:
    for record in foveate_encoders():
        if record.prefix:  # skip libraries, which have too many encoders
            continue
        with torch.device("meta"), _ShapesOnly():
            encoder: nn.Module = resolve(record.build)(record.name)
        yield record.name, shapes_of({f"encoder.{key}": tensor for key, tensor in encoder.state_dict().items()})


def name_of(encoder: Shapes) -> str | None:
    """The name of the encoder with these shapes; None if there is none.

    Args:
        encoder: Shapes of an encoder's tensors, by our names.
    """
    alike = {
        name: share(encoder, shapes) for name, shapes in encoder_shapes().items() if shapes.keys() == encoder.keys()
    }
    best = max(alike, key=lambda name: alike[name], default=None)
    return best if best is not None and alike[best] >= SAME else None


def closest(found: Mapping[str, Size]) -> tuple[str, str, float] | None:
    """The encoder that a file's tensors fit best: its name, the file's layout, and the share of its values.

    Among equals it is the largest, since a deeper variant contains all tensors of a shallower one of the same width.

    Args:
        found: Shapes of a file's tensors, by the file's names.
    """
    fits = []
    for name, shapes in encoder_shapes().items():
        match = recognise(found.keys(), shapes.keys())
        given = {ours: found[theirs] for ours, theirs in match.names.items()}
        fits.append((share(shapes, given), _values(shapes), name, match.layout.name))
    fit, _, name, layout = max(fits, default=(0.0, 0, "", ""))
    return (name, layout, fit) if fit > 0 else None


def share(wanted: Shapes, given: Shapes) -> float:
    """Share of the wanted values that are given with the same name and shape, in 0-1.

    Args:
        wanted: Shapes by our names.
        given: Shapes by our names.
    """
    same = {name: shape for name, shape in wanted.items() if given.get(name) == shape}
    return _values(same) / max(1, _values(wanted))


def _values(shapes: Shapes) -> int:
    return sum(shape.numel() for shape in shapes.values())
