"""An exported file in a predictor: it gets sizes that it takes, and gives what the network gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foveate.pipeline.inference import InferenceConfig, infer_classes
from foveate.pipeline.predictor.exported import ExportedNetwork

MEAN = (10.0, 20.0, 30.0)


class File:
    """A file whose classes are the brightest channels."""

    def __init__(self, **contract: Any) -> None:
        defaults = {"kind": "segmentation", "output": "logits", "size": None, "multiple_of": 1}
        self.contract = SimpleNamespace(**{**defaults, "mean": MEAN, "names": ("r", "g", "b"), **contract})
        self.sizes: list[tuple[int, ...]] = []
        self.last: Tensor | None = None

    def __call__(self, image: Any) -> np.ndarray:
        assert image.dtype == torch.uint8
        self.sizes.append(tuple(image.shape[2:]))
        self.last = image
        return (image.argmax(1) if self.contract.output == "labels" else image.float()).numpy()


def image(height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (1, 3, height, width)).float()


@pytest.mark.parametrize(
    ("contract", "sizes"),
    [
        ({}, {(40, 50)}),
        ({"output": "labels"}, {(40, 50)}),
        ({"multiple_of": 32}, {(64, 64)}),
        ({"size": (32, 32)}, {(32, 32)}),
        ({"size": (64, 32), "output": "labels"}, {(64, 32)}),
    ],
    ids=["any", "labels", "multiple", "windows", "padded"],
)
def test_it_gets_the_sizes_that_it_takes(contract: dict[str, Any], sizes: set[tuple[int, int]]) -> None:
    file, pixels = File(**contract), image(40, 50)
    network = ExportedNetwork(file)
    found = infer_classes(network, pixels, network.fitted(InferenceConfig()))
    assert torch.equal(found, pixels.argmax(1))
    assert set(file.sizes) == sizes


def test_padding_is_the_mean_of_the_training() -> None:
    file = File(size=(4, 6))
    ExportedNetwork(file)(image(3, 5))
    assert file.last is not None
    assert file.last[0, :, 3, 0].tolist() == file.last[0, :, 0, 5].tolist() == list(MEAN)


def test_windows_of_the_training_are_kept_if_they_fit() -> None:
    network = ExportedNetwork(File(size=(32, 32)))
    own = InferenceConfig(mode="slide", size=(32, 32), stride=(20, 20), window_weights="gaussian")
    assert network.fitted(own) == own
    assert network.fitted(InferenceConfig(short_side=64)).stride == (24, 24)
