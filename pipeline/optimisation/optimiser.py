"""Optimisers, and the groups of parameters that share a learning rate and a weight decay."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.optimisation.ranges import check_range
from foveate.pipeline.text import few

ENCODER = "encoder."
POSITIONS = ("cls_token", "pos_embed")
SHOWN = 6  # groups, in a message


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are updated.

    Args:
        name: `adamw` or `sgd`.
        lr: Learning rate of the encoder.
        weight_decay: Weight decay of all parameters except those of `no_decay`.
        decoder_lr_multiplier: Learning rate of everything outside the encoder, a decoder or a classifier's head, as a
            multiple of `lr`.
        momentum: Momentum of sgd; the first beta of adamw.
        layer_decay: Factor on the learning rate from each of the encoder's blocks to the one before, such as 0.75 to
            fine-tune a ViT; 1 gives all the same rate.
        no_decay: What gets no weight decay: parameters with `norm` in their name, or `norm_and_bias`: these, everything
            of one dimension (biases, scales, any norm), and a ViT's class token and positions.

    Raises:
        ConfigError: A number is out of its range.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    lr: float = 6e-5
    weight_decay: float = 0.01
    decoder_lr_multiplier: float = 10.0
    momentum: float = 0.9
    layer_decay: float = 1.0
    no_decay: Literal["norm", "norm_and_bias"] = "norm"

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, least=0)
        check_range("optimizer.weight_decay", self.weight_decay, least=0)
        check_range("optimizer.decoder_lr_multiplier", self.decoder_lr_multiplier, least=0)
        check_range("optimizer.momentum", self.momentum, least=0, below=1)
        check_range("optimizer.layer_decay", self.layer_decay, above=0, most=1)


def depth_of(name: str) -> tuple[float, float]:
    """The depth of a parameter in an encoder, as stage and block; depths of one encoder can be compared.

    The layers that open a stage (such as a patch embedding) count with its first block, the norm or attention block
    that closes it comes after its last. Names without a number come first, except the last norm.

    Args:
        name: The parameter's, within the encoder. Known are ViT, MSCAN, VAN, MobileNetV2, and most of timm's and smp's.

    Example:
        >>> depth_of("block3.2.attn.proj_1.weight"), depth_of("blocks.7.norm1.bias"), depth_of("features.4.conv.3.bias")
        ((3, 2), (7, 0), (4, 0))
        >>> depth_of("cls_token"), depth_of("patch_embed3.proj.weight"), depth_of("norm3.weight")
        ((-1, 0), (3, 0), (3, inf))
    """
    place = PLACE.match(name.removeprefix("model."))
    if place is None:
        return (math.inf, 0) if name.startswith("norm.") else (-1, 0)
    stage, block = int(place["stage"] or place["item"]), place["block"] or place["inner"]
    closes = place["kind"] in ("norm", "attention") and place["stage"]
    return stage, math.inf if closes else int(block or 0)


# `block3.2.`, `layer1.0.`, `stages_1.blocks.0.`, `norm3.`; or `blocks.7.`, `features.4.`, `stages.1.blocks.0.`
PLACE = re.compile(
    r"(?:(?P<kind>[a-z_]*?)_?(?P<stage>\d+)\.(?:(?P<block>\d+)\.)?|[a-z_]+\.(?P<item>\d+)\.)"
    r"(?:(?:blocks|layers)\.(?P<inner>\d+)\.)?"
)


def layer_factors(names: Iterable[str], decay: float) -> dict[str, float]:
    """Factor on the learning rate of each parameter of an encoder.

    It is `decay` in the last block, its square in the one before, and so on.

    Args:
        names: Of all parameters of the encoder, within it.
        decay: Factor from each block to the one before, above 0 and at most 1.

    Source:
        Clark et al. 2020, ELECTRA (arXiv:2003.10555); Bao et al. 2021, BEiT (arXiv:2106.08254), which
        counts in the same way.
    """
    depths = {name: depth_of(name) for name in names}
    blocks = sorted({depth for depth in depths.values() if 0 <= depth[0] < math.inf and depth[1] < math.inf})
    return {name: decay ** (len(blocks) + 1 - bisect_right(blocks, depth)) for name, depth in depths.items()}


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Groups of equal rate and decay: encoder and the rest, each with and without decay; more with a layer decay.

    Everything outside `model.encoder` learns faster, by the configuration's multiple. Each group also
    holds the names of its parameters, so that a checkpoint of other parameters is detected.

    Args:
        model: A network with an `encoder`; parameters that need no gradient are left out.
        config: What the recipe says of the optimiser.

    Source:
        The official SegNeXt recipe (arXiv:2209.08575, section 4.1).
    """
    parameters = dict(model.named_parameters())
    trained = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    inside = [name.removeprefix(ENCODER) for name in parameters if name.startswith(ENCODER)]  # frozen ones count too
    factors = layer_factors(inside, config.layer_decay)
    groups: dict[tuple[str, float], dict[str, Any]] = {}
    for name, parameter in trained.items():
        in_encoder, spared = name.startswith(ENCODER), _is_spared(name, parameter, config)
        label = ("encoder" if in_encoder else "decoder") + ("_norm" if spared else "")
        rate = factors[name.removeprefix(ENCODER)] if in_encoder else config.decoder_lr_multiplier
        settings = {
            "name": label if config.layer_decay == 1 or not in_encoder else f"{label}_{rate:.3g}",
            "lr": config.lr * rate,
            "weight_decay": 0.0 if spared else config.weight_decay,
        }
        group = groups.setdefault((label, rate), {"params": [], "names": [], **settings})
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


def _is_spared(name: str, parameter: nn.Parameter, config: OptimizerConfig) -> bool:
    """Whether a parameter gets no weight decay."""
    if "norm" in name:
        return True
    return config.no_decay == "norm_and_bias" and (parameter.ndim < 2 or name.endswith(POSITIONS))


def create_optimizer(model: nn.Module, config: OptimizerConfig, *, fused: bool = True) -> Optimizer:
    """The optimiser of a recipe over the groups of `parameter_groups`.

    Its `load_state_dict` refuses the state of an optimiser of another kind or of other parameters.

    Args:
        model: A network with an `encoder`.
        config: What the recipe says of the optimiser.
        fused: Use PyTorch's fused AdamW, which updates all parameters in one kernel.
    """
    groups = parameter_groups(model, config)
    optimizer: Optimizer
    if config.name == "sgd":
        optimizer = SGD(groups, lr=config.lr, momentum=config.momentum)
    else:
        optimizer = AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=fused)
    optimizer.register_load_state_dict_pre_hook(check_state)
    return optimizer


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


def _names_of(groups: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of the parameters in all groups; empty for an older checkpoint without names."""
    return {name for group in groups for name in group.get("names", [])}


def _shape_of(groups: Iterable[Mapping[str, Any]]) -> tuple[str, list[int]]:
    """An optimiser's name, and how many tensors each of its groups holds."""
    groups = list(groups)
    return "adamw" if all("betas" in group for group in groups) else "sgd", [len(group["params"]) for group in groups]


def _in_words(name: str, sizes: list[int]) -> str:
    several = f"{len(sizes)} groups of parameters" if len(sizes) > 1 else "one group of parameters"
    return f"{name} in {several} ({', '.join(map(str, sizes[:SHOWN]))}{', ...' if len(sizes) > SHOWN else ''} tensors)"
