"""Explains the answer of a network for one image, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.explanation.gradcam import Score, default_layer, grad_cam
from foveate.pipeline.explanation.subject import Subject, subject_of
from foveate.pipeline.explanation.tokens import attention_rollout, grid_of
from foveate.pipeline.measuring.receptive_field import effective_map, effective_reach, position_of
from foveate.pipeline.models.upsampling import upsample
from foveate.pipeline.predictor import Predictor
from foveate.pipeline.predictor.source import Source
from foveate.plugins.hints import did_you_mean
from foveate.plugins.maps import RecordedMap, recording_maps

SIDE = 1024  # pixels; gradients of a larger image take more memory than most machines have
Pixel = tuple[int, int]
Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What was found about one image; all maps have its height and width.

    Attributes:
        image: As the network sees it, in bytes (H, W, 3).
        scale: Its side as a multiple of the given image's, less than 1 if that was reduced.
        target: Number of the explained class.
        name: Its name.
        at: Row and column of the explained pixel in `image`; None for the whole image.
        probability: Of the class, at the pixel or for the image; for several pixels the mean.
        probabilities: Of each class for the image, from a classifier; of each class at `at` or the mean, else.
        prediction: Number of the predicted class of each pixel; None from a classifier.
        names: Of all classes.
        labels: The classes with their colours; None if unknown.
        layer: Whose feature map Grad-CAM explains.
        cam: Grad-CAM, in 0-1.
        influence: Effective receptive field of the deepest feature, in 0-1; None if there is no encoder.
        rollout: Rollout of the attention between patches, in 0-1; None if the network is no transformer.
        maps: Maps that the modules offer, in the order of the pass.
        notes: What could not be computed, and why.
    """

    image: UInt8[np.ndarray, "H W 3"]
    scale: float
    target: int
    name: str
    at: Pixel | None
    probability: float
    probabilities: NDArray[np.float32]
    prediction: NDArray[np.int64] | None
    names: tuple[str, ...]
    labels: LabelSet | None
    layer: str
    cam: Map
    influence: Map | None
    rollout: Map | None
    maps: Sequence[RecordedMap]
    notes: Sequence[str] = field(default_factory=tuple)

    def summary(self) -> dict[str, Any]:
        """The essential numbers, as JSON can hold them."""
        row, column = np.unravel_index(int(self.cam.argmax()), self.cam.shape)
        return {
            "height": self.image.shape[0],
            "width": self.image.shape[1],
            "scale": round(self.scale, 6),
            "class": self.name,
            "at": None if self.at is None else list(self.at),
            "probability": round(self.probability, 6),
            "layer": self.layer,
            "grad_cam": {
                "peak": [int(row), int(column)],
                "share_of_pixels_above_half": round(float((self.cam > 0.5).mean()), 6),
            },
            "effective_receptive_field": None if self.influence is None else round(effective_reach(self.influence), 1),
            "rollout": self.rollout is not None,
            "maps": [_told(one) for one in self.maps],
            "notes": list(self.notes),
        }


def _told(one: RecordedMap) -> dict[str, Any]:
    values = one.values
    return {
        "module": one.module,
        "block": one.block,
        "name": one.name,
        "kind": one.kind,
        "shape": list(values.shape[1:]),
        "min": float(values.min()),
        "mean": float(values.mean()),
        "max": float(values.max()),
    }


def explain(
    model: Predictor | Source | nn.Module,
    image: Any,
    *,
    at: Pixel | None = None,
    target: str | int | None = None,
    layer: str | None = None,
    side: int = SIDE,
) -> Explanation:
    """Explain the answer of a network for one image.

    The image is put through the network as a whole, without windows or several views.

    Args:
        model: A predictor, a model of the hub, or a network.
        image: What the predictor takes; for a network alone its input (C, H, W), for a model of the hub bytes.
        at: Row and column of the pixel to explain, in the image; for a classifier, which resizes images, in the resized
            one. If None, a segmenter's class is explained by its mean over the pixels that are predicted as it.
        target: Name or number of the class; the predicted one if None: at the pixel, of most pixels, or of the image.
        layer: Module whose feature map Grad-CAM explains; the deepest one if None.
        side: Longest side in pixels; a larger image is reduced.

    Raises:
        ConfigError: The class, pixel or layer does not exist, captum is missing, or the model has no gradients.
        UnusableDataError: The image is damaged.
    """
    subject = subject_of(model)
    shown, normalised, factor = subject.feed(image, side)
    at = _checked(at, factor, (shown.shape[0], shown.shape[1]))
    with torch.no_grad(), recording_maps(subject.network) as maps:
        logits = subject.network(normalised).float()
    pixel = at if logits.ndim == 4 else None
    number = _class_of(target, logits, pixel, subject)
    notes: list[str] = []
    score, probabilities = _score(logits, pixel, number, notes)
    layer = default_layer(subject.network, normalised) if layer is None else layer
    return Explanation(
        image=shown,
        scale=factor,
        target=number,
        name=_name(subject, number),
        at=at,
        probability=float(probabilities[number]),
        probabilities=probabilities.numpy(),
        prediction=logits[0].argmax(0).numpy() if logits.ndim == 4 else None,
        names=subject.names or tuple(map(str, range(logits.shape[1]))),
        labels=subject.labels,
        layer=layer,
        cam=grad_cam(subject.network, normalised, score, layer).cpu().numpy(),
        influence=_influence(subject.network, normalised, at, notes),
        rollout=_rollout(subject.network, maps, normalised, at, pixelwise=logits.ndim == 4),
        maps=tuple(maps),
        notes=tuple(notes),
    )


def _checked(at: Pixel | None, factor: float, size: Pixel) -> Pixel | None:
    """The pixel in the reduced image."""
    if at is None:
        return None
    moved = (int(at[0] * factor), int(at[1] * factor))
    if not (at[0] >= 0 and at[1] >= 0 and moved[0] < size[0] and moved[1] < size[1]):
        height, width = (round(length / factor) for length in size)
        raise ConfigError(f"pixel {at[0]},{at[1]} is outside the image of {height} x {width} (row,column, from 0,0)")
    return moved


def _class_of(target: str | int | None, logits: Tensor, at: Pixel | None, subject: Subject) -> int:
    count = logits.shape[1]
    if target is None:
        if logits.ndim == 2 or at is not None:
            return int((logits[0] if at is None else logits[0, :, at[0], at[1]]).argmax())
        return int(logits[0].argmax(0).flatten().bincount(minlength=count).argmax())
    if isinstance(target, str) and target in subject.names:
        return subject.names.index(target)
    if str(target).isdecimal() and int(target) < count:
        return int(target)
    known = ", ".join(subject.names) or f"0 to {count - 1}"
    raise ConfigError(f"no class {target!r}{did_you_mean(str(target), subject.names)} (classes: {known})")


def _name(subject: Subject, number: int) -> str:
    return subject.names[number] if subject.names else f"class {number}"


def _score(logits: Tensor, at: Pixel | None, number: int, notes: list[str]) -> tuple[Score, Float[Tensor, " K"]]:
    """The score to explain, from logits to one number, and the probability of each class where it is taken."""
    probabilities = logits[0].softmax(0).cpu()
    if logits.ndim == 2:
        return lambda out: out[:, number], probabilities
    if at is not None:
        row, column = at
        return lambda out: out[:, number, row, column], probabilities[:, row, column]
    mask = logits[0].argmax(0) == number
    if not mask.any():
        notes.append("no pixel is predicted as this class: Grad-CAM explains its mean over all pixels")
        mask = torch.ones_like(mask)
    return lambda out: out[:, number, mask].mean(1), probabilities[:, mask.cpu()].mean(1)


def _influence(network: nn.Module, image: Tensor, at: Pixel | None, notes: list[str]) -> Map | None:
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        notes.append("no receptive field: the network has no encoder")
        return None
    try:
        return effective_map(encoder, image, at)
    except (IndexError, RuntimeError, ValueError, TypeError) as error:
        notes.append(f"no receptive field: the encoder gives no feature maps ({type(error).__name__})")
        return None


def _rollout(
    network: nn.Module, maps: Sequence[RecordedMap], image: Tensor, at: Pixel | None, *, pixelwise: bool
) -> Map | None:
    size = (image.shape[2], image.shape[3])
    layers = [one.values[0] for one in maps if one.kind == "attention" and one.grid is None]
    grid = grid_of(network, size)
    if not layers or grid is None or len({layer.shape for layer in layers}) > 1:
        return None
    total = attention_rollout(layers)
    before = len(total) - grid[0] * grid[1]  # the class token and others
    if before < 0:
        return None
    row = _reader(total, before, grid, size, at, pixelwise=pixelwise)
    full = upsample(row[before:].float().reshape(1, 1, *grid), size)[0, 0]
    return (full / full.max()).numpy()


def _reader(
    total: Tensor, before: int, grid: Pixel, size: Pixel, at: Pixel | None, *, pixelwise: bool
) -> Float[Tensor, " N"]:
    """The row of the token that is explained: that of the pixel, else the class token, else the mean of all."""
    if at is not None and pixelwise:
        row, column = position_of(at, size, grid)
        return total[before + row * grid[1] + column]
    return total[0] if before and not pixelwise else total[before:].mean(0)
