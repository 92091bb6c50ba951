"""Spreads a network over processes: each holds a part of every parameter, and of what the optimiser keeps for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(network: nn.Module, mesh: DeviceMesh) -> None:
    """Spread the parameters of a network over the processes of a mesh.

    A block's parameters are gathered when the block runs, in the forward and in the backward pass, and given up
    afterwards. What belongs to no block is gathered with the child that holds it, such as the encoder or the decoder.

    Args:
        network: Changed in place. Its children have to be called as modules, it may be used through any method.
        mesh: One dimension of processes.

    Raises:
        ValueError: A parameter is a single number, which cannot be spread.
    """
    network.to(memory_format=torch.contiguous_format)  # others cannot be spread
    for block in blocks_of(network):
        fully_shard(block, mesh=mesh)
    for child in network.children():
        if any(True for _ in child.parameters()):
            fully_shard(child, mesh=mesh)
    if any(True for _ in network.parameters(recurse=False)):
        fully_shard(network, mesh=mesh)


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The blocks of a network, outermost first: what its lists of modules hold, apart from single layers.

    Where a list holds stages, the blocks of each stage are taken.

    Args:
        network: Any network.

    Example:
        >>> block = lambda: nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2))
        >>> len(blocks_of(nn.ModuleDict({"blocks": nn.ModuleList([block(), block()]), "norm": nn.LayerNorm(2)})))
        2
    """
    found: list[nn.Module] = []
    for child in network.children():
        if isinstance(child, nn.ModuleList | nn.Sequential) and (blocks := list(_entries(child))):
            for block in blocks:
                found += _inner(block) or [block]
        else:
            found += blocks_of(child)
    return found


def _entries(container: nn.Module) -> Iterator[nn.Module]:
    """What a list holds that has several layers with parameters."""
    for entry in container.children():
        holders = {name.rpartition(".")[0] for name, _ in entry.named_parameters()}
        if len(holders) > 1:
            yield entry


def _inner(stage: nn.Module) -> list[nn.Module]:
    """The blocks of a stage; nothing if it is no stage, but a block itself."""
    if isinstance(stage, nn.ModuleList):
        return list(_entries(stage))
    for child in stage.children():
        blocks = list(_entries(child)) if isinstance(child, nn.ModuleList | nn.Sequential) else []
        layers = [entry for entry in child.children() if any(True for _ in entry.parameters())]
        if len(blocks) > 1 and blocks == layers and len({type(block) for block in blocks}) == 1:
            return blocks
    return []


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, gathered from the processes that share it, who all have to call this; others as they are.

    Args:
        tensor: Any tensor.
    """
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def is_shared(tensor: Tensor) -> bool:
    """Whether the processes share a tensor, each with a part of it.

    Args:
        tensor: Any tensor.
    """
    return isinstance(tensor, DTensor)


def gathered(state: Any, *, keep: bool = True) -> Any:
    """A state with whole tensors, on the CPU; every process has to call this.

    Args:
        state: Nested mappings and lists.
        keep: Whether this process wants the tensors; where it does not, they are left out.
    """
    if isinstance(state, Tensor):
        full = whole(state.detach())
        return full.cpu() if keep else None
    if isinstance(state, dict):
        return {key: gathered(value, keep=keep) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(gathered(value, keep=keep) for value in state)
    return state


def shared_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """This process's part of a whole tensor, spread as a parameter is; the tensor itself if shapes differ.

    Args:
        tensor: The same in all processes, on any device.
        parameter: A parameter, spread or not.
    """
    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    placed = tensor.to(parameter.device)  # the optimiser casts it as its kind needs
    return distribute_tensor(placed.contiguous(), parameter.device_mesh, parameter.placements, src_data_rank=None)
