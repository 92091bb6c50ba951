"""A network of two convolutions, exported once for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from foveate.pipeline.export.export import Exported, Order, export
from foveate.pipeline.export.images import Sample
from foveate.pipeline.export.subject import Subject
from foveate.pipeline.hub import HubModel
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.normalisation import Normalise

CLASSES = ("road", "sky", "tree", "car")


class Encoder(nn.Module):
    """A convolution with a batch norm, at stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 5, 4, 2), nn.BatchNorm2d(16), nn.ReLU())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.layers(image),)


class Decoder(nn.Module):
    """A 1 x 1 convolution."""

    stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Conv2d(16, len(CLASSES), 1)

    def forward(self, features: tuple[torch.Tensor]) -> torch.Tensor:
        return self.classify(features[-1])


class Tiny(HubModel):
    """The network in the place of one that a checkpoint names."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        torch.manual_seed(3)
        self.network_name, self.network_options = "segnext_t", {}
        self.evaluation = {
            "labels": {
                "name": "tiny",
                "names": list(CLASSES),
                "colours": [[n, 2 * n, 3 * n] for n in range(4)],
                "ids": [7, 8, 9, 10],
            }
        }
        self.classes = CLASSES
        self.normalise = Normalise()
        self.network = Segmenter(Encoder(), Decoder())
        with torch.no_grad():
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_()
                    module.weight.uniform_(0.5, 2.0)
        self.network.eval()


@dataclass
class Made:
    """What the tests share."""

    subject: Subject
    samples: list[Sample]
    exported: Exported | None = None


def pictures(count: int = 6, size: tuple[int, int] = (64, 96)) -> list[Sample]:
    """Images of smooth colours with labels that depend on them."""
    random = np.random.default_rng(0)
    samples = []
    for _ in range(count):
        small = torch.from_numpy(random.integers(0, 256, (3, 5, 7), dtype=np.uint8))
        image = Sample(small).resized(size).image
        labels = (image.long().sum(0) // 200).to(torch.uint8)
        labels[:2] = 255
        samples.append(Sample(image, labels))
    return samples


@pytest.fixture(scope="session")
def made() -> Made:
    model = Tiny().eval()
    subject = Subject(name="tiny.ckpt", model=model, recipe={}, modules=[], plugins={"lka": {"version": "1"}}, step=7)
    return Made(subject, pictures())


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the checks of shapes: while a graph is captured, sizes are symbols."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def onnx_file(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The file for any size."""
    out = tmp_path_factory.mktemp("onnx") / "model.onnx"
    order = Order(size="dynamic", out=out, licence="CC0")
    with unchecked():
        return export(made.subject, order, made.samples, tell=lambda _: None)


@pytest.fixture
def written(onnx_file: Exported) -> Path:
    return onnx_file.path
