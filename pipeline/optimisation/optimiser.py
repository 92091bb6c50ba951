"""Optimisers, and the groups of parameters that share a learning rate and a weight decay."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.optimisation.named_optimisers import OWN, build_named, check_options, find_kind
from foveate.pipeline.optimisation.optimiser_state import KIND, check_state, lay_out
from foveate.pipeline.optimisation.ranges import check_range
from foveate.plugins.blocks import Option
from foveate.plugins.rates import lr_multipliers

ENCODER = "encoder."
POSITIONS = ("cls_token", "pos_embed")
MOMENTUM = 0.9  # of adamw and sgd, by default
EPS_OF_FLOAT16 = 1e-3  # where a squared gradient is 0 in float16, a step is at most six times the rate


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are updated.

    Args:
        name: `adamw`, `sgd`, `torch:NAME` for a class of torch.optim such as torch:RMSprop, or `timm:NAME` for one of
            timm's such as timm:lion.
        lr: Learning rate of the encoder.
        weight_decay: Weight decay of all parameters except those of `no_decay`.
        decoder_lr_multiplier: Learning rate of everything outside the encoder, a decoder or a classifier's head, as a
            multiple of `lr`.
        momentum: Momentum of sgd, the first beta of adamw, 0.9 by default; others have theirs among `options`.
        layer_decay: Factor on the learning rate from each of the encoder's blocks to the one before, such as 0.75 to
            fine-tune a ViT; 1 gives all the same rate.
        no_decay: What gets no weight decay: parameters with `norm` in their name, or `norm_and_bias`: these, everything
            of one dimension (biases, scales, any norm), and a ViT's class token and positions.
        options: Further arguments of the optimiser, such as `{betas: [0.9, 0.95]}`; by default the library's own, but
            eps is 0.001 for weights in float16 (`16-true`).

    Raises:
        ConfigError: A number is out of its range, or there is no such optimiser or option, or it cannot be used here.
    """

    name: str = "adamw"
    lr: float = 6e-5
    weight_decay: float = 0.01
    decoder_lr_multiplier: float = 10.0
    momentum: float | None = None
    layer_decay: float = 1.0
    no_decay: Literal["norm", "norm_and_bias"] = "norm"
    options: dict[str, Option] | None = None

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, least=0)
        check_range("optimizer.weight_decay", self.weight_decay, least=0)
        check_range("optimizer.decoder_lr_multiplier", self.decoder_lr_multiplier, least=0)
        check_range("optimizer.layer_decay", self.layer_decay, above=0, most=1)
        if self.momentum is not None:
            check_range("optimizer.momentum", self.momentum, least=0, below=1)
            self._check_momentum()
        if self.name not in OWN or self.options:
            check_options(find_kind(self.name), self.lr, self.weight_decay, self.settings())

    def _check_momentum(self) -> None:
        given = {"momentum", "betas"} & set(self.options or {})
        if given:
            raise ConfigError(f"optimizer.momentum and optimizer.options.{min(given)} both: which one? leave one out")
        if self.name not in OWN:
            raise ConfigError(
                f"optimizer.momentum is for adamw and sgd; {self.name} takes its own as optimizer.options.momentum or "
                ".betas; write momentum: null"
            )

    def settings(self) -> dict[str, Any]:
        """The optimiser's arguments other than learning rate and weight decay, as far as the recipe decides them."""
        momentum = MOMENTUM if self.momentum is None else self.momentum
        own: dict[str, dict[str, Any]] = {"adamw": {"betas": (momentum, 0.999)}, "sgd": {"momentum": momentum}}
        return {**own.get(self.name, {}), **(self.options or {})}


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
    place = PLACE.match(WRAPPED.sub("", name))
    if place is None:
        return (math.inf, 0) if name.startswith("norm.") else (-1, 0)
    stage, block = int(place["stage"] or place["item"]), place["block"] or place["inner"]
    closes = place["kind"] in ("norm", "attention") and place["stage"]
    return stage, math.inf if closes else int(block or 0)


WRAPPED = re.compile(r"^(?:model\.)+")  # timm's and smp's networks lie inside ours, some of them twice
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

    Raises:
        ConfigError: Fewer than two blocks are known by the names, so that there is no depth to decay with.

    Source:
        Clark et al. 2020, ELECTRA (arXiv:2003.10555); Bao et al. 2021, BEiT (arXiv:2106.08254), which
        counts in the same way.
    """
    depths = {name: depth_of(name) for name in names}
    blocks = sorted({depth for depth in depths.values() if 0 <= depth[0] < math.inf and depth[1] < math.inf})
    if decay < 1 and len(blocks) < 2:
        raise ConfigError(
            f"optimizer.layer_decay {decay:g}: the names of this encoder's parameters ({', '.join(list(depths)[:3])} "
            "...) tell no depth; leave layer_decay out"
        )
    return {name: decay ** (len(blocks) + 1 - bisect_right(blocks, depth)) for name, depth in depths.items()}


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Groups of equal rate and decay: encoder and the rest, each with and without decay.

    There are more with a layer decay, and, at the end, where a block asks for another rate of some of its parts
    (`foveate.plugins.rates`). Everything outside `model.encoder` learns faster, by the configuration's multiple. Each
    group also holds the names of its parameters, so that a checkpoint of other parameters is detected.

    Args:
        model: A network with an `encoder`; parameters that need no gradient are left out.
        config: What the recipe says of the optimiser.

    Raises:
        ConfigError: `layer_decay` cannot be used with this encoder.
        PluginError: A block asks for the rate of a part that it does not have, or for a wrong multiple.

    Source:
        The official SegNeXt recipe (arXiv:2209.08575, section 4.1).
    """
    parameters = dict(model.named_parameters())
    trained = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    inside = [name.removeprefix(ENCODER) for name in parameters if name.startswith(ENCODER)]  # frozen ones count too
    factors = layer_factors(inside, config.layer_decay)
    multiples = lr_multipliers(model)
    groups: dict[tuple[bool, str, float], dict[str, Any]] = {}
    for name, parameter in trained.items():
        in_encoder, spared = name.startswith(ENCODER), _is_spared(name, parameter, config)
        label = ("encoder" if in_encoder else "decoder") + ("_norm" if spared else "")
        usual = factors[name.removeprefix(ENCODER)] if in_encoder else config.decoder_lr_multiplier
        rate = usual * multiples.get(name, 1.0)
        same_for_all = rate == usual and (config.layer_decay == 1 or not in_encoder)
        settings = {
            "name": label if same_for_all else f"{label}_{rate:.3g}",
            "lr": config.lr * rate,
            "weight_decay": 0.0 if spared else config.weight_decay,
        }
        group = groups.setdefault((rate != usual, label, rate), {"params": [], "names": [], **settings})
        group["params"].append(parameter)
        group["names"].append(name)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _is_spared(name: str, parameter: nn.Parameter, config: OptimizerConfig) -> bool:
    """Whether a parameter gets no weight decay."""
    if "norm" in name:
        return True
    return config.no_decay == "norm_and_bias" and (parameter.ndim < 2 or name.endswith(POSITIONS))


def create_optimizer(model: nn.Module, config: OptimizerConfig, *, fused: bool = True) -> Optimizer:
    """The optimiser of a recipe over the groups of `parameter_groups`.

    Each group also holds the optimiser's name. `load_state_dict` refuses the state of another optimiser or of other
    parameters.

    Args:
        model: A network with an `encoder`.
        config: What the recipe says of the optimiser.
        fused: Use PyTorch's fused AdamW for `adamw`, which updates all parameters in one kernel; `options` override it.

    Raises:
        ConfigError: The optimiser refuses the parameters.
    """
    groups = [{**group, KIND: config.name} for group in parameter_groups(model, config)]
    settings = config.settings()
    if config.name == "adamw":
        settings = {"fused": fused, **settings}
    optimizer = build_named(find_kind(config.name), groups, config.lr, settings)
    if "eps" not in settings:
        _suit_float16(optimizer)
    optimizer.register_load_state_dict_pre_hook(check_state)
    optimizer.register_load_state_dict_post_hook(lay_out)
    return optimizer


def _suit_float16(optimizer: Optimizer) -> None:
    """Raise eps where weights are float16: small gradients' squares are 0 there, and a step divides by eps alone.

    Adafactor's, below 1e-16 or a pair, is another thing.
    """
    for group in optimizer.param_groups:
        half = any(parameter.dtype == torch.float16 for parameter in group["params"])
        eps = group.get("eps")
        if half and isinstance(eps, float) and 1e-16 <= eps < EPS_OF_FLOAT16:
            group["eps"] = EPS_OF_FLOAT16
