"""A trained model as a function of images."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.engines.engine import Precision
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.predictor.batching import in_batches
from foveate.pipeline.predictor.inputs import ImageInput, Taken, take_image, to_planes
from foveate.pipeline.predictor.results import Classification, Segmentation
from foveate.pipeline.predictor.running import Runner, find_device
from foveate.pipeline.predictor.source import Kind, Source, open_source

Result = Segmentation | Classification
ONE_IMAGE = (str, bytes, bytearray, memoryview, Path, Image.Image, np.ndarray, Tensor)


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
        if batch_size < 1:
            raise ConfigError(f"batch_size is at least 1, not {batch_size}")
        self._source, self._batch_size = source, batch_size
        self._runner = Runner(source, engine, find_device(device), precision)
        self._lock = threading.Lock()  # engines keep one set of buffers, and are created once

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

        def take(number: int, image: object) -> Taken:
            name = "image" if one else f"image {number}"
            rgb = source.kind == "classification"
            return take_image(image, name, source.reader, source.channels, rgb=rgb)

        def apply(batch: Sequence[Taken]) -> Sequence[Result]:
            return self._predict(batch, probabilities)

        def size_of(taken: Taken) -> Any:
            return taken.pixels.shape if source.kind == "segmentation" else None

        taken = (take(number, image) for number, image in enumerate(images))
        return in_batches(taken, apply, size_of, self._batch_size)

    def _predict(self, batch: Sequence[Taken], probabilities: bool) -> Sequence[Result]:
        planes = torch.stack([to_planes(taken.pixels, self._source.transform) for taken in batch])
        with self._lock, self._runner.running():
            if self._source.kind == "classification":
                return self._classified(batch, planes)
            return self._segmented(batch, planes, probabilities)

    def _classified(self, batch: Sequence[Taken], image: Tensor) -> list[Classification]:
        assert isinstance(self.label_set, ClassSet)
        found = self._runner.classify(image).cpu().numpy()
        return [
            Classification(name=taken.name, probabilities=each, label_set=self.label_set)
            for taken, each in zip(batch, found, strict=True)
        ]

    def _segmented(self, batch: Sequence[Taken], image: Tensor, probabilities: bool) -> list[Segmentation]:
        assert isinstance(self.label_set, LabelSet)
        shape = (len(batch), *image.shape[2:])
        labels, confidence = np.empty(shape, np.uint8), np.empty(shape, np.float32)
        every = np.empty((len(batch), len(self.label_set), *shape[1:]), np.float32) if probabilities else None
        for area in self._runner.segment(image):
            place = (area.images, area.rows, area.columns)
            classes, best = area.best()
            labels[place], confidence[place] = classes.to(torch.uint8).cpu().numpy(), best.cpu().numpy()
            if every is not None:
                every[area.images, :, area.rows, area.columns] = area.probabilities().cpu().numpy()
        return [
            Segmentation(
                name=taken.name,
                image=taken.pixels,
                labels=labels[number],
                confidence=confidence[number],
                probabilities=None if every is None else every[number],
                label_set=self.label_set,
            )
            for number, taken in enumerate(batch)
        ]
