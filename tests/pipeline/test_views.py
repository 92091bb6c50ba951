"""The views of an image are one prediction."""

from __future__ import annotations

import torch

from foveate.datasets.classes import ClassSet
from foveate.pipeline.classification import ClassificationTask, mean_of_views


def test_probabilities_of_views_are_averaged() -> None:
    task = ClassificationTask(network="mobilenet_v2_035", labels=ClassSet(name="abc", names=("a", "b", "c"))).eval()
    views = torch.randint(0, 256, (2, 5, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        logits = task(views)
        expected = torch.stack([task(images).softmax(1).mean(0) for images in views])
    torch.testing.assert_close(logits.exp(), expected)
    torch.testing.assert_close(logits.softmax(1), expected)


def test_no_probability_is_a_finite_logit() -> None:
    assert torch.isfinite(mean_of_views(torch.tensor([[1e4, 0.0], [1e4, 0.0]]), 1)).all()
