"""A task that evaluates by an engine."""

from __future__ import annotations

import pytest
import torch

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.inference import InferenceConfig
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task import VisionTask

WHOLE = InferenceConfig()
SLIDE = InferenceConfig(mode="slide", size=(64, 64), stride=(32, 32))
PADDED = InferenceConfig(multiple_of=32)


def segment(config: InferenceConfig) -> SegmentationTask:
    return SegmentationTask("mobilenet_v2_035+light_ham", labels=CITYSCAPES, inference=config).eval()


def images(height: int, width: int) -> torch.Tensor:
    return torch.randint(256, (1, 3, height, width), dtype=torch.uint8)


def predict(task: VisionTask, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return task.predict_step({"image": image, "path": [""]}, 0)  # type: ignore[no-any-return, operator]


@pytest.mark.parametrize(
    ("engine", "config"),
    [("folded", WHOLE), ("folded", SLIDE), ("folded", PADDED), pytest.param("openvino", SLIDE, marks=pytest.mark.slow)],
)
def test_every_pixel_is_labelled_as_by_the_network(
    engine: str, config: InferenceConfig, request: pytest.FixtureRequest
) -> None:
    if engine == "openvino":
        request.getfixturevalue("openvino")
    task, image = segment(config), images(96, 120)
    wanted = predict(task, image)
    task.use_engine(engine)
    assert (predict(task, image) != wanted).sum() <= image.numel() / 3 / 1e5 + 1
    assert task._engine is not None
    assert task._engine.name == engine


@pytest.mark.parametrize("config", [WHOLE, SLIDE, PADDED])
@pytest.mark.parametrize("size", [(96, 128), (70, 101)])
def test_predictions_are_the_argmax_of_the_logits(config: InferenceConfig, size: tuple[int, int]) -> None:
    task, image = segment(config), images(*size)
    with torch.no_grad():
        assert torch.equal(predict(task, image), task(image).argmax(1).to(torch.uint8))


def test_a_classifier_takes_an_engine_too() -> None:
    task = ClassificationTask("mobilenet_v2_035", labels=ClassSet(name="made", names=("a", "b", "c"))).eval()
    image = images(64, 64)
    with torch.no_grad():
        wanted = task(image)
        task.use_engine("folded")
        torch.testing.assert_close(task(image), wanted, rtol=1e-4, atol=1e-5)


def test_training_never_goes_through_an_engine() -> None:
    task = segment(WHOLE)
    task.use_engine("folded")
    assert task.train().runner(torch.rand(1, 3, 32, 32)) is task.network


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="no engine 'onnx'"):
        segment(WHOLE).use_engine("onnx")
