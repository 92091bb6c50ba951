"""Table rows: the full set of figures of a segmenter on an image of 2 megapixels, and what it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.metrics.create import MEANT, create_metrics
from foveate.pipeline.metrics.distances import find_edges, measure_distances
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.models.upsampling import classify

CLASSES, SIZE, IGNORE = 19, (1024, 2048), 255
ALL = MEANT["segmentation"]
BASE, FULL = "confusion matrix and distance transform", "full set"
BASE_MAPS, FULL_MAPS = "the same, of label maps", "full set without calibration, of label maps"


def run(settings: Settings) -> Result:
    """The full set, each figure alone, and confusion matrix with one distance transform, on the same logits."""
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(settings.threads)
    logits, labels = draw()
    ready = Pixels(logits, labels)
    few = [name for name in ALL if name != "calibration"]
    candidates: dict[str, Candidate] = {
        BASE: partial(alone, logits, labels),
        FULL: updating(ALL, logits, labels),
        BASE_MAPS: partial(alone, logits, labels, ready.predicted),
        FULL_MAPS: updating(few, logits, labels, of_maps=True),
        **{name: updating([name], logits, labels) for name in ALL},
    }
    seconds = alternate(candidates, rounds=settings.times(20), warmup=2)
    right = float((ready.predicted == labels)[labels != IGNORE].float().mean())
    edges = float(find_edges(labels[0].numpy()).mean())
    what = (
        f"One image of 1024 x 2048, {CLASSES} classes, logits at stride 8 upsampled as a network gives them, "
        f"{right:.0%} right, {edges:.1%} of the pixels beside another class, 5 % ignored. Every candidate begins with "
        "float32 logits at full size, so with an argmax; `of label maps` has the predictions ready. The distance "
        "transform is one of the labels; the full set needs a second, of the prediction. Single figures include the "
        "argmax and what they would share in the full set. Calibration runs in the native kernel."
    )
    row = "figures of evaluation, 19 classes, 2 MP"
    goals = [
        Goal(f"{row}, from logits", BASE, FULL, 2.0, share=True),
        Goal(f"{row}, of label maps", BASE_MAPS, FULL_MAPS, share=True),
    ]
    return Result("figures", "Figures of evaluation", what, seconds, goals)


def draw() -> tuple[Tensor, Tensor]:
    """Logits of a network that is right about large things and wrong at outlines and about some, and labels."""
    generator = torch.Generator().manual_seed(0)

    def field(height: int, width: int, size: tuple[int, int], amount: float) -> Tensor:
        coarse = amount * torch.randn(1, CLASSES, height, width, generator=generator)
        return F.interpolate(coarse, size=size, mode="bilinear")

    stride = SIZE[0] // 8, SIZE[1] // 8
    things = field(8, 16, stride, 8.0)
    logits = F.interpolate(2 * things + field(64, 128, stride, 1.0), size=SIZE, mode="bilinear")
    labels = (F.interpolate(things, size=SIZE, mode="bilinear") + field(32, 64, SIZE, 0.5)).argmax(1).to(torch.uint8)
    labels[:, : SIZE[0] // 20] = IGNORE
    return logits, labels


def alone(logits: Tensor, labels: Tensor, predicted: Tensor | None = None) -> object:
    """What is compared with: a confusion matrix, and one distance transform of the labels' edges."""
    counts = count_confusion(classify(logits) if predicted is None else predicted, labels, CLASSES, trusted=True)
    return counts, [measure_distances(find_edges(np.asarray(one)), 250) for one in labels]


def updating(names: Sequence[str], logits: Tensor, labels: Tensor, *, of_maps: bool = False) -> Candidate:
    """An update of some figures with the image."""
    metrics = [metric for metric in create_metrics(names, CLASSES).values() if isinstance(metric, SharedMetric)]
    ready = Pixels(logits, labels)

    def update() -> None:
        pixels = Pixels(logits, labels)
        if of_maps:
            pixels._largest = ready._largest
        for metric in metrics:
            metric.update(logits, labels, pixels)

    return update
