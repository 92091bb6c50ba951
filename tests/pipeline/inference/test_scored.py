"""Scored areas: classes, confidences and probabilities are those of the logits of whole images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveate.pipeline.inference import InferenceConfig, infer, infer_areas, infer_classes
from foveate.pipeline.inference.large import score_areas
from foveate.pipeline.models import create_model

CONFIGS = {
    "bands": InferenceConfig(),
    "padded": InferenceConfig(multiple_of=48),
    "resized": InferenceConfig(short_side=48),
    "slide": InferenceConfig(mode="slide", size=(48, 48), stride=(32, 32)),
    "views": InferenceConfig(scales=(0.5, 1.0), flip=True),
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("mobilenet_v2_035+light_ham", num_classes=5).eval()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@torch.inference_mode()
def test_areas_together_give_the_scores_of_the_whole(config: InferenceConfig, network: nn.Module) -> None:
    image = torch.randn(2, 3, 64, 96)
    expected = infer(network, image, config).softmax(1)
    seen = torch.zeros(2, 64, 96)
    classes = infer_classes(network, image, config)
    for area in infer_areas(network, image, config):
        place = (area.images, area.rows, area.columns)
        seen[place] += 1
        best, confidence = area.best()
        assert torch.equal(best, classes[place])
        torch.testing.assert_close(confidence, expected[area.images, :, area.rows, area.columns].amax(1))
        torch.testing.assert_close(area.probabilities(), expected[area.images, :, area.rows, area.columns])
    assert bool((seen == 1).all())


@torch.inference_mode()
def test_probabilities_of_several_views_of_a_large_image_add_up_to_one(network: nn.Module) -> None:
    config = InferenceConfig(short_side=48, scales=(0.5, 1.0), flip=True)
    image = torch.randint(0, 256, (1, 3, 70, 96), dtype=torch.uint8)
    for area in score_areas(network, image, lambda part: part.float() / 128 - 1, config):
        assert area.views == 4
        torch.testing.assert_close(area.probabilities().sum(1), torch.ones(1, *area.scores.shape[2:]))
        assert torch.equal(area.probabilities().argmax(1), area.classes())
        assert float(area.best()[1].max()) <= 1
