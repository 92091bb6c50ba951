"""Names the block and its plugin when a block fails in its first forward or backward pass.

The block's `forward` is replaced on the instance by a `FirstPass`, which removes itself after the first pass in
training. Parameter names, pickling, copying, tracing and compiling work as without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foveate.plugins.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor, nn

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
FORWARD = "forward"  # the attribute that is replaced


@dataclass
class Site:
    """The position of a block in a model, for messages.

    Attributes:
        block: The block and its provider, such as "block 'triplet' of foveate-triplet 0.1".
        slot: The slot's name; empty for a block that was built outside a model.
        channels: Number of channels of the feature map.
        position: The module's name in the model, once the model is built; before, its number among the slot's blocks.
    """

    block: str
    channels: int
    slot: str = ""
    position: str = ""

    def __str__(self) -> str:
        slot = f" in slot {self.slot}" if self.slot else ""
        width = f"{self.channels} channels"
        return f"{self.block}{slot} ({', '.join(part for part in (self.position, width) if part)})"

    def blame(self, what: str) -> PluginError:
        """The error that names the block.

        Args:
            what: What the block did.
        """
        return PluginError(f"{self} {what}")


class FirstPass:
    """Replaces a block's `forward` until the first pass in training, and checks each pass.

    Args:
        owner: The block.
        site: Its position.
    """

    def __init__(self, owner: nn.Module, site: Site) -> None:
        self.owner = owner
        self.site = site

    @property
    def __code__(self) -> Any:
        """The code of the block's own `forward`, which torch.export reads."""
        return type(self.owner).forward.__code__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import torch

        forward = type(self.owner).forward.__get__(self.owner)
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return forward(*args, **kwargs)
        try:
            out = forward(*args, **kwargs)
        except Exception as error:
            if _is_excused(error):
                raise
            raise self.site.blame(f"failed in the forward pass: {type(error).__name__}: {error}") from error
        if args and isinstance(args[0], torch.Tensor):
            self._check(args[0], out)
            if self.owner.training and torch.is_grad_enabled():
                _watch(args[0], out, self.site)
                self.owner.__dict__.pop(FORWARD, None)
        return out

    def _check(self, x: Tensor, out: Any) -> None:
        """Check that the output is a tensor of the input's shape and dtype; autocast may change the dtype."""
        import torch

        if not isinstance(out, torch.Tensor):
            raise self.site.blame(f"returned a {type(out).__name__}, not a tensor")
        if out.shape != x.shape:
            raise self.site.blame(
                f"changed the shape of its input from {tuple(x.shape)} to {tuple(out.shape)}; a block must keep it"
            )
        accepted = {x.dtype}
        if torch.is_autocast_enabled(x.device.type):
            accepted |= {torch.float32, torch.get_autocast_dtype(x.device.type)}
        if out.dtype not in accepted:
            raise self.site.blame(f"changed the dtype of its input from {x.dtype} to {out.dtype}; a block must keep it")


_in_backward: list[Site] = []  # the block whose backward pass is running


def guard(module: nn.Module, site: Site) -> nn.Module:
    """Check a block in its first pass (see `FirstPass`); returns the block.

    Args:
        module: The block. It is left unchanged if it is scripted or has a `forward` on the instance.
        site: Its position.
    """
    import torch

    if FORWARD not in module.__dict__ and not isinstance(module, torch.jit.ScriptModule):
        module.__dict__[FORWARD] = FirstPass(module, site)
    return module


def tell_positions(model: nn.Module) -> None:
    """Give each checked block its module name in the model, for messages.

    Args:
        model: The whole network.
    """
    for name, module in model.named_modules():
        first = module.__dict__.get(FORWARD)
        if isinstance(first, FirstPass):
            first.site.position = name


@contextmanager
def named_backward() -> Iterator[None]:
    """Turn an error of a block's backward pass into one that names the block.

    Raises:
        PluginError: The backward pass of a block failed; the message names block, slot and position.
    """
    _in_backward.clear()
    try:
        yield
    except Exception as error:
        if not _in_backward or _is_excused(error):
            raise
        site = _in_backward[0]
        raise site.blame(f"failed in the backward pass: {type(error).__name__}: {error}") from error
    finally:
        _in_backward.clear()


def _watch(x: Tensor, out: Tensor, site: Site) -> None:
    """Record when the backward pass enters a block (gradient of its output) and leaves it (gradient of its input)."""
    if not out.requires_grad or out is x:
        return

    def enter(gradient: Tensor) -> None:
        _in_backward[:] = [site]

    def leave(gradient: Tensor) -> None:
        if _in_backward[:1] == [site]:
            _in_backward.clear()

    out.register_hook(enter)  # type: ignore[no-untyped-call]
    if x.requires_grad:
        x.register_hook(leave)  # type: ignore[no-untyped-call]


def _is_excused(error: Exception) -> bool:
    """Whether an error is already explained (has an exit code), or is a lack of memory."""
    return hasattr(error, "exit_code") or any(words in str(error) for words in OUT_OF_MEMORY)
