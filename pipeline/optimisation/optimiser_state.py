"""Makes the optimiser state in a checkpoint fit the optimiser of a recipe, or says why it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import few

KIND = "kind"  # key of the optimiser's name in each group
SHOWN = 6  # groups, in a message


def check_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Check that a checkpoint's optimiser state fits the recipe's optimiser.

    Args:
        optimizer: The optimiser of the recipe.
        state: The optimiser's state dict in the checkpoint.

    Raises:
        CheckpointError: It is of another optimiser, or its parameter groups differ.
    """
    saved, asked = _shape_of(state["param_groups"]), _shape_of(optimizer.param_groups)
    before, now = _names_of(state["param_groups"]), _names_of(optimizer.param_groups)
    if saved != asked:
        found = f"the checkpoint was trained with {_in_words(*saved)}; the recipe asks for {_in_words(*asked)}"
    elif before and before != now:
        found = (
            f"the checkpoint trained {few(sorted(before - now))}, the recipe trains {few(sorted(now - before))} instead"
        )
    else:
        return
    raise CheckpointError(
        f"{found}. To go on, leave model.freeze and model.optimizer's name, layer_decay and no_decay as they were "
        "(without --config the recipe beside the checkpoint counts); to start a new training from its weights: "
        "--model.weights CHECKPOINT, without --ckpt_path"
    )


def lay_out(optimizer: Optimizer) -> None:
    """Give restored states the memory layout of their parameters, which fused kernels take for granted.

    The layout differs if another strategy wrote the checkpoint: where processes share the weights, they are not in
    PyTorch's channels-last layout.

    Args:
        optimizer: The optimiser of the recipe, after its state was restored.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _names_of(groups: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of the parameters in all groups; empty for an older checkpoint without names."""
    return {name for group in groups for name in group.get("names", [])}


def _shape_of(groups: Iterable[Mapping[str, Any]]) -> tuple[str, list[int]]:
    """An optimiser's name, and how many tensors each of its groups holds; an older checkpoint holds no name."""
    groups = list(groups)
    older = "adamw" if all("betas" in group for group in groups) else "sgd"
    return str(groups[0].get(KIND, older)) if groups else older, [len(group["params"]) for group in groups]


def _in_words(name: str, sizes: list[int]) -> str:
    several = f"{len(sizes)} groups of parameters" if len(sizes) > 1 else "one group of parameters"
    return f"{name} in {several} ({', '.join(map(str, sizes[:SHOWN]))}{', ...' if len(sizes) > SHOWN else ''} tensors)"
