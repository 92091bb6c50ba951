"""What is explained: a network, how it is fed, and the names of its classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.hub import HubModel
from foveate.pipeline.predictor import Predictor
from foveate.pipeline.predictor.inputs import take_image, to_planes
from foveate.pipeline.predictor.source import Source


@dataclass(frozen=True)
class Subject:
    """A network to explain.

    Attributes:
        network: In evaluation mode.
        normalise: From bytes (1, C, H, W) to the network's input.
        names: Of the classes; empty if unknown.
        labels: The classes with their colours; None if unknown.
        source: Decides how images are read; None if only tensors are taken.
    """

    network: nn.Module
    normalise: Callable[[Tensor], Tensor]
    names: tuple[str, ...] = ()
    labels: LabelSet | None = None
    source: Source | None = None

    def feed(self, image: Any, side: int) -> tuple[UInt8[np.ndarray, "H W 3"], Float[Tensor, "1 C H W"], float]:
        """An image as it is shown, as the network takes it, and by how much it was reduced.

        Args:
            image: What a predictor takes; for a model without a source a tensor (C, H, W).
            side: Longest side in pixels; a larger image is reduced.

        Raises:
            ConfigError: It is no tensor, and nothing tells how images are read.
        """
        planes = self._planes(image)
        factor = min(1.0, side / max(planes.shape[1:]))
        if factor < 1:
            planes = _reduced(planes, factor)
        with torch.no_grad():
            normalised = self.normalise(planes[None])
        return _shown(planes), normalised, factor

    def _planes(self, image: Any) -> Tensor:
        if self.source is None:
            if not isinstance(image, Tensor) or image.ndim != 3:
                raise ConfigError("a network alone takes a tensor (C, H, W); load a Predictor to explain files")
            return image
        source = self.source
        rgb = source.kind == "classification"
        taken = take_image(image, "image", source.reader, source.channels, rgb=rgb)
        planes = to_planes(taken.pixels, source.transform)
        return planes[0] if planes.ndim == 4 else planes  # the first of several views


def subject_of(model: Predictor | Source | nn.Module) -> Subject:
    """What is explained.

    Args:
        model: A predictor, what it is loaded from, a model of the hub, or a network, whose images are normalised.

    Raises:
        ConfigError: It is an exported file, which has no gradients.
    """
    if isinstance(model, Predictor):
        return subject_of(model._source)
    if isinstance(model, HubModel):
        return Subject(model.network.eval(), model.normalise, tuple(model.classes))
    if isinstance(model, nn.Module):
        return Subject(model.eval(), nn.Identity())
    if model.network is None or model.normalise is None:
        raise ConfigError(f"{model.name}: an exported model has no gradients; explain its checkpoint")
    labels = model.labels if isinstance(model.labels, LabelSet) else None
    return Subject(model.network, model.normalise, tuple(model.labels.names), labels, model)


def _reduced(planes: Tensor, factor: float) -> Tensor:
    size = [max(1, round(length * factor)) for length in planes.shape[1:]]
    small = F.interpolate(planes[None].float(), size=size, mode="bilinear", antialias=True)[0]
    return small.round().clamp(0, 255).to(torch.uint8) if planes.dtype == torch.uint8 else small


def _shown(planes: Tensor) -> UInt8[np.ndarray, "H W 3"]:
    """RGB in bytes: the first three channels, or the first as grey; other values than bytes are stretched to 0-255."""
    three = planes[:3] if planes.shape[0] >= 3 else planes[:1].expand(3, -1, -1)
    if three.dtype != torch.uint8:
        low, high = three.min(), three.max()
        three = ((three - low) / (high - low).clamp(min=1e-12) * 255).to(torch.uint8)
    return np.ascontiguousarray(three.permute(1, 2, 0).cpu().numpy())
