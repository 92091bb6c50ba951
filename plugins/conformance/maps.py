"""The rule on attention maps, for a block that offers them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import SIZE, Subject, call
from foveate.plugins.maps import METHOD, kind_of, offered_maps
from foveate.plugins.offering import offers

SIZES = (SIZE, (1, 1), (7, 1), (9, 5))


@rule(
    "maps",
    advice="compute `maps(x)` from x alone, as in the forward pass; a map has a shape that can be broadcast to "
    "(B, C, H, W), or is attention (B, heads, H * W, H * W)",
)
def give_maps(subject: Subject) -> str:
    """Attention maps, if the block offers `maps(x)`, fit the input, are finite and repeat, and change nothing."""
    module = subject.module()
    offering = [name for name, child in module.named_modules() if offers(type(child), METHOD)]
    if not offering:
        return "offers none"
    told: set[str] = set()
    for size in SIZES:
        x = subject.features(size)
        before = _answer(module, x)
        for name in offering:
            told |= _try_maps(module, name, x)
        if not torch.equal(before, _answer(module, x)):
            raise BrokenRuleError("the output changed after `maps` was called")
    return ", ".join(sorted(told)) or "empty"


def _try_maps(module: nn.Module, name: str, x: Tensor) -> set[str]:
    """Call `maps` of one module with the input that it gets in a pass; gives the names of the maps."""
    child = module.get_submodule(name)
    given = _input_of(module, child, x)
    if given is None:
        return set()
    kept = given.clone()
    maps = offered_maps(child, given)
    for title, values in maps.items():
        try:
            kind_of(values, given)
        except ValueError as error:
            raise BrokenRuleError(f"{title!r}: {error}") from error
        if not values.isfinite().all():
            raise BrokenRuleError(f"{title!r} is not finite")
        if not torch.equal(values, offered_maps(child, given)[title]):
            raise BrokenRuleError(f"{title!r} differs from call to call")
    if not torch.equal(kept, given):
        raise BrokenRuleError("`maps` modified its input")
    return set(maps)


def _input_of(module: nn.Module, child: nn.Module, x: Tensor) -> Tensor | None:
    """The first input of a module inside the block; None if the block does not call it."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.extend(inputs[:1])

    handle = child.register_forward_pre_hook(keep)
    try:
        _answer(module, x)
    finally:
        handle.remove()
    return seen[0].detach() if seen else None


def _answer(module: nn.Module, x: Tensor) -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        return call(module, x)
