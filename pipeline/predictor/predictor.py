"""A trained model as a function of images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.classification import mean_of_views
from foveate.pipeline.engines import check_engine, create_engine
from foveate.pipeline.engines.engine import Precision, check_precision
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.inference import infer
from foveate.pipeline.models.upsampling import classify
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.predictor.batching import in_batches
from foveate.pipeline.predictor.inputs import ImageInput, Taken, take_image, to_planes
from foveate.pipeline.predictor.results import Classification, Segmentation
from foveate.pipeline.predictor.source import Kind, Source, open_source

Result = Segmentation | Classification
ONE_IMAGE = (str, bytes, bytearray, memoryview, Path, Image.Image, np.ndarray, Tensor)
CALLS = 50  # images for which engine auto chooses: preparing an engine may take a few seconds


class Predictor:
    """Labels the pixels of images, or tells the class of each, with a trained model. Threads may share it.

    Args:
        source: The model.
        engine: What runs the network: torch, folded, compile, openvino, or auto, the fastest here.
        device: cpu, cuda, cuda:1 ..., or auto: a GPU if there is one.
        precision: float32, or bfloat16 in the operators that allow it.
        batch_size: Images of one size that are passed together.

    Raises:
        ConfigError: An engine, device or precision does not exist here.

    Example:
        predictor = Predictor.load("runs/latest")
        result = predictor("street.jpg")
        result.overlay().save("overlay.png")
    """

    def __init__(
        self,
        source: Source,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: Precision = "float32",
        batch_size: int = 1,
    ) -> None:
        check_engine(engine)
        check_precision(precision)
        if batch_size < 1:
            raise ConfigError(f"batch_size is at least 1, not {batch_size}")
        self._source, self._engine_name, self._precision = source, engine, precision
        self._device = find_device(device)
        self._batch_size = batch_size
        self._runner: Callable[[Tensor], Tensor] | None = None
        self._lock = threading.RLock()
        for part in (source.network, source.normalise):
            if part is not None:
                part.to(self._device)

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: Precision = "float32",
        plugins: Sequence[str] = (),
        batch_size: int = 1,
    ) -> Predictor:
        """Load a trained model.

        Args:
            source: A checkpoint, a run directory, a folder or repository of the hub (owner/name), or an exported file.
            engine: What runs the network: torch, folded, compile, openvino, or auto, the fastest here.
            device: cpu, cuda, cuda:1 ..., or auto: a GPU if there is one.
            precision: float32, or bfloat16 in the operators that allow it.
            plugins: Modules that the model needs, as --plugins takes them.
            batch_size: Images of one size that are passed together. Larger batches are faster on a GPU; labels may
                then differ in a few pixels, since sums are rounded in another order.

        Raises:
            CheckpointError: The model does not exist, is damaged, or does not fit.
            ConfigError: An engine, device, precision or module does not exist.
            PluginError: A plugin that the model needs is not installed.
        """
        opened = open_source(source, plugins)
        return cls(opened, engine=engine, device=device, precision=precision, batch_size=batch_size)

    @property
    def kind(self) -> Kind:
        """segmentation or classification."""
        return self._source.kind

    @property
    def label_set(self) -> LabelSet | ClassSet:
        """The classes."""
        return self._source.labels

    @property
    def network(self) -> nn.Module | None:
        """The network, in evaluation mode; None for an exported file."""
        return self._source.network

    @property
    def normalise(self) -> Normalise | None:
        """From images in bytes to the network's input; None for an exported file."""
        return self._source.normalise

    @overload
    def __call__(self, images: ImageInput, *, probabilities: bool = False) -> Any: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a list is an iterable too
        self, images: list[ImageInput] | tuple[ImageInput, ...], *, probabilities: bool = False
    ) -> list[Any]: ...

    @overload
    def __call__(self, images: Iterable[ImageInput], *, probabilities: bool = False) -> Iterator[Any]: ...

    def __call__(self, images: Any, *, probabilities: bool = False) -> Any:
        """Predict one image or several.

        Args:
            images: A path, the bytes of an image file, a PIL image, an array (H, W, C) or (H, W) of uint8 or of floats
                in 0-1, a tensor (C, H, W) or (H, W) likewise; or a list or any iterable of such.
            probabilities: Whether a segmentation holds the probability of each class in each pixel.

        Returns:
            A `Segmentation` or a `Classification`; a list for a list or tuple; for another iterable a generator,
            which draws images as its results are taken.

        Raises:
            UnusableDataError: An image is damaged or of a kind that is not accepted.
        """
        if isinstance(images, ONE_IMAGE) or not isinstance(images, Iterable):
            (result,) = self._stream((images,), probabilities, one=True)
            return result
        results = self._stream(images, probabilities)
        return list(results) if isinstance(images, list | tuple) else results

    def _stream(self, images: Iterable[Any], probabilities: bool, *, one: bool = False) -> Iterator[Result]:
        source = self._source

        def take(number: int, image: ImageInput) -> Taken:
            name = "image" if one else f"image {number}"
            rgb = source.kind == "classification"
            return take_image(image, name, source.reader, source.channels, rgb=rgb)

        def apply(batch: Sequence[Taken]) -> Sequence[Result]:
            return self._predict(batch, probabilities)

        def size_of(taken: Taken) -> Any:
            return taken.pixels.shape if source.kind == "segmentation" else None

        taken = (take(number, image) for number, image in enumerate(images))
        return in_batches(taken, apply, size_of, self._batch_size)

    def _predict(self, batch: Sequence[Taken], probabilities: bool) -> list[Result]:
        planes = torch.stack([to_planes(taken.pixels, self._source.transform) for taken in batch])
        with self._lock, torch.inference_mode(), self._autocast():
            if self._source.kind == "classification":
                return self._classified(batch, planes.to(self._device))
            return self._segmented(batch, planes.to(self._device), probabilities)

    def _classified(self, batch: Sequence[Taken], image: Tensor) -> list[Result]:
        views = image.flatten(0, 1) if image.ndim == 5 else image
        logits = self._run(self._to_pixels(views))
        if image.ndim == 5:
            logits = mean_of_views(logits, len(batch))
        found = logits.float().softmax(1).cpu().numpy()
        labels: Any = self._source.labels
        return [
            Classification(name=taken.name, probabilities=each, label_set=labels)
            for taken, each in zip(batch, found, strict=True)
        ]

    def _segmented(self, batch: Sequence[Taken], image: Tensor, probabilities: bool) -> list[Result]:
        logits = infer(self._run, self._to_pixels(image), self._source.inference)
        ids = classify(logits).to(torch.uint8).cpu().numpy()
        every = logits.float().softmax(1)
        confidence = every.max(1).values.cpu().numpy()
        labels: Any = self._source.labels
        return [
            Segmentation(
                name=taken.name,
                image=taken.pixels,
                labels=ids[number],
                confidence=confidence[number],
                probabilities=every[number].cpu().numpy() if probabilities else None,
                label_set=labels,
            )
            for number, taken in enumerate(batch)
        ]

    def _to_pixels(self, image: Tensor) -> Tensor:
        assert self._source.normalise is not None
        pixels: Tensor = self._source.normalise(image)
        return pixels

    def _run(self, pixels: Tensor) -> Tensor:
        network = self._source.network
        assert network is not None
        if self._engine_name == "torch":
            logits: Tensor = network(pixels)
            return logits
        if self._runner is None:
            self._runner = create_engine(
                network, pixels, engine=self._engine_name, precision=self._precision, calls=CALLS
            )
        return self._runner(pixels)

    def _autocast(self) -> AbstractContextManager[object]:
        if self._precision == "bfloat16" and self._engine_name == "torch":
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()


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
