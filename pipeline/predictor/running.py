"""Runs the model of a predictor: from images in bytes to scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from foveate.pipeline.classification import mean_of_views
from foveate.pipeline.engines import check_engine, create_engine
from foveate.pipeline.engines.engine import Precision, check_precision
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.inference import ScoredArea, infer_areas
from foveate.pipeline.inference.large import is_large, score_areas
from foveate.pipeline.predictor.source import Source

CALLS = 50  # images for which engine auto chooses: preparing an engine may take some seconds


class Runner:
    """A model on a device, run by an engine, which is created at the first image.

    Args:
        source: The model.
        engine: torch, folded, compile, openvino, or auto.
        device: The device.
        precision: float32 or bfloat16.

    Raises:
        ConfigError: Engine or precision does not exist, or an exported file is to be run by an engine.
    """

    def __init__(self, source: Source, engine: str, device: torch.device, precision: Precision) -> None:
        check_engine(engine)
        check_precision(precision)
        if source.exported is not None and engine not in ("auto", "torch"):
            raise ConfigError(f"{source.name} is run by its own runtime: leave out engine {engine!r}")
        self.source, self.engine, self.precision = source, engine, precision
        self.device = torch.device("cpu") if source.exported is not None else device
        self._created: Callable[[Tensor], Tensor] | None = None
        for part in (source.network, source.normalise):
            if part is not None:
                part.to(self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The context in which images are classified and segmented, until the last area is taken."""
        cast = self.precision == "bfloat16" and self.engine == "torch"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16) if cast else nullcontext():
            yield

    def classify(self, image: UInt8[Tensor, "B *V C H W"]) -> Float[Tensor, "B K"]:
        """The probability of each class, of whole images.

        Args:
            image: The images, or several views (V) of each.
        """
        views = image.flatten(0, 1) if image.ndim == 5 else image
        logits = self._run(self._to_pixels(views))
        if image.ndim == 5:
            logits = mean_of_views(logits, len(image))
        return logits.float().softmax(1)

    def segment(self, image: UInt8[Tensor, "B C H W"]) -> Iterator[ScoredArea]:
        """The scores of each pixel, area by area; a large image is never on the device as a whole.

        Args:
            image: The images.
        """
        if is_large(image.shape[2], image.shape[3]):
            return score_areas(self._run, image, self._to_pixels, self.source.inference)
        pixels = self._to_pixels(image)
        return infer_areas(self._network(pixels), pixels, self.source.inference)

    def _to_pixels(self, image: Tensor) -> Tensor:
        if self.source.normalise is None:
            return image.float()
        pixels: Tensor = self.source.normalise(image.to(self.device))
        return pixels

    def _run(self, pixels: Tensor) -> Tensor:
        return self._network(pixels)(pixels)

    def _network(self, pixels: Tensor) -> Callable[[Tensor], Tensor]:
        """What turns normalised images into logits; engines are created with the first of them."""
        if self.source.exported is not None:
            return self.source.exported
        assert self.source.network is not None
        if self.engine == "torch":
            return self.source.network
        if self._created is None:
            self._created = create_engine(
                self.source.network, pixels, engine=self.engine, precision=self.precision, calls=CALLS
            )
        return self._created


def find_device(name: str) -> torch.device:
    """A device by its name.

    Args:
        name: cpu, cuda, cuda:1 ..., mps, or auto: a GPU if there is one.

    Raises:
        ConfigError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ConfigError(f"no device {name!r} here (accepted: auto, cpu, cuda, cuda:0 ...)") from error
    return device
