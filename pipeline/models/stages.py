"""The stages of an encoder, found by what its features depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from foveate.pipeline.models.channels import image_channels

SIDES = (64, 224, 256, 384, 512)  # of the image that is tried; some networks take one size only


def parameters_by_stage(encoder: nn.Module) -> list[list[str]]:
    """The parameters of each stage of an encoder, by name; nothing where it has no stages.

    A stage is what a feature depends on and no feature before it does, so that the stem belongs to the first. An
    encoder has no stages if some of its features have no parameters of their own, or if it gives a single one. A
    classifier of timm's gives no features; its stages are those that timm lists (`feature_info`).

    Args:
        encoder: Gives a tuple of features, finest first. It is run once, in evaluation, on a small blank image.
    """
    features = _features(encoder)
    stages = _by_dependence(encoder, features) if features else _by_order(encoder)
    return stages if len(stages) > 1 and all(stages) else []


def _features(encoder: nn.Module) -> Sequence[Tensor]:
    """Features of the smallest blank image that the encoder takes; nothing if it gives no tuple of features."""
    for side in SIDES:
        try:
            with _evaluating(encoder), torch.enable_grad():
                features = encoder(torch.zeros(1, image_channels(encoder), side, side))
        except Exception:  # a foreign network may refuse a size in any way
            continue
        return features if isinstance(features, tuple | list) else ()
    return ()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate, then go back to the mode that each module was in: no statistics change, no random number is drawn."""
    modes = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training


def _by_dependence(encoder: nn.Module, features: Sequence[Tensor]) -> list[list[str]]:
    left = {name: parameter for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    stages = []
    for feature in features:
        gradients = torch.autograd.grad(feature.sum(), list(left.values()), retain_graph=True, allow_unused=True)
        stage = [name for name, gradient in zip(left, gradients, strict=True) if gradient is not None]
        left = {name: parameter for name, parameter in left.items() if name not in stage}
        stages.append(stage)
        if not left:
            break
    return [*stages, *([] for _ in features[len(stages) :])]


def _by_order(encoder: nn.Module) -> list[list[str]]:
    """Parameters up to the end of each module that timm lists as the end of a stage."""
    listed: Any = getattr(encoder, "feature_info", None)
    names = [str(one["module"]) for one in listed or [] if isinstance(one, dict) and one.get("module")]
    order = {name: place for place, (name, _) in enumerate(encoder.named_modules())}
    if not names or any(name not in order for name in names):
        return []
    ends = [max(place for one, place in order.items() if f"{one}.".startswith(f"{name}.")) for name in names]
    stages: list[list[str]] = [[] for _ in ends]
    for name, _ in encoder.named_parameters():
        place = order[name.rpartition(".")[0]]
        stage = next((number for number, end in enumerate(ends) if place <= end), None)
        if stage is not None:
            stages[stage].append(name)
    return stages
