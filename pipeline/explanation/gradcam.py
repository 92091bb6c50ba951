"""Grad-CAM: which positions of a feature map raise the score of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.explanation.tokens import grid_of, patches_of
from foveate.pipeline.models.upsampling import upsample
from foveate.plugins.hints import did_you_mean

Score = Callable[[Tensor], Tensor]


def grad_cam(network: nn.Module, image: Float[Tensor, "1 C H W"], score: Score, layer: str) -> Float[Tensor, "H W"]:
    """The Grad-CAM of a score, at the size of the image; 0 where nothing raises the score, 1 at most.

    Each channel of the feature map is weighted by the mean gradient of the score; negative sums are cut off. The
    feature map is the output of the layer, the last one if there are several; for tokens it is that of the patches.

    Args:
        network: In evaluation mode.
        image: Normalised.
        score: From the network's output to one number for each image.
        layer: Name of a module of the network.

    Raises:
        ConfigError: There is no such layer, its output is no feature map, or captum is not installed.

    Source:
        Selvaraju et al. 2017, Grad-CAM (arXiv:1610.02391). For segmentation as in Vinogradova et al. 2020,
        Towards Interpretable Semantic Segmentation via Gradient-weighted Class Activation Mapping (arXiv:2002.11434).
    """
    try:
        from captum.attr import LayerGradCam  # late, and an extra
    except ImportError as error:
        raise ConfigError("Grad-CAM needs captum: pip install 'foveate[explain]'") from error
    size = (image.shape[2], image.shape[3])
    with torch.enable_grad(), _tapped(network, _layer(network, layer), layer, size) as tap:
        method = LayerGradCam(lambda x: score(network(x)), tap)
        found: Tensor = method.attribute(image.clone().requires_grad_(), relu_attributions=True)
    full = upsample(found.detach().float(), size)[0, 0]
    return full / full.max().clamp(min=torch.finfo(full.dtype).tiny)


def _layer(network: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if name not in modules:
        hint = did_you_mean(name, modules)
        raise ConfigError(f"the network has no layer {name!r}{hint}; its parts: {_parts(network)}")
    return modules[name]


def _parts(network: nn.Module) -> str:
    return ", ".join(name for name, _ in network.named_modules() if name and name.count(".") <= 1)


@contextmanager
def _tapped(network: nn.Module, module: nn.Module, name: str, size: tuple[int, int]) -> Iterator[nn.Module]:
    """A module that the layer's feature map (B, C, h, w) goes through, whatever form the layer's output has."""
    tap = nn.Identity()

    def route(_: nn.Module, inputs: object, output: Any) -> Any:
        if isinstance(output, tuple | list):
            return type(output)((*output[:-1], route(module, inputs, output[-1])))
        if isinstance(output, Tensor) and output.ndim == 4:
            return tap(output)
        if isinstance(output, Tensor) and output.ndim == 3 and (grid := grid_of(network, size)):
            patches = tap(patches_of(output, grid))
            return torch.cat([output[:, : output.shape[1] - grid[0] * grid[1]], patches.flatten(2).mT], dim=1)
        raise ConfigError(f"layer {name!r} gives no feature map (B, C, h, w); name another with --layer")

    handle = module.register_forward_hook(route)
    try:
        yield tap
    finally:
        handle.remove()


def default_layer(network: nn.Module, image: Float[Tensor, "1 C H W"]) -> str:
    """The layer whose feature map is explained if none is named: the deepest one.

    That is the encoder's last feature map. In a transformer whose class token is classified, it is the input of the
    last attention, since the patches after it do not reach the token. In a classifier that gives vectors, it is the
    last feature map that a module computes.

    Args:
        network: In evaluation mode.
        image: Normalised.

    Raises:
        ConfigError: No module computes a feature map of more than one position.
    """
    encoder = getattr(network, "encoder", None)
    if (norm := _last_attention_norm(network)) is not None:
        return norm
    if isinstance(encoder, nn.Module):
        with torch.no_grad():
            features = encoder(image)
        if isinstance(features, tuple | list):
            return "encoder"
    return _last_feature_map(network, image)


def _last_attention_norm(network: nn.Module) -> str | None:
    """The norm before the last attention of a transformer that classifies; None if the network is none."""
    blocks: Any = getattr(getattr(network, "encoder", None), "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
        return None
    if hasattr(network, "decoder") or grid_of(network, (16, 16)) is None:
        return None
    norm = getattr(blocks[-1], "norm1", None)
    return next((name for name, module in network.named_modules() if module is norm), None)


def _last_feature_map(network: nn.Module, image: Tensor) -> str:
    seen: list[str] = []

    def hook_of(name: str) -> Any:
        def note(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                seen.append(name)

        return note

    handles = [module.register_forward_hook(hook_of(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad():
            out = network(image)
    finally:
        for handle in handles:
            handle.remove()
    if not seen or out.ndim == 4:
        raise ConfigError(f"which layer is to be explained? Name one with --layer: {_parts(network)}")
    return seen[-1]
