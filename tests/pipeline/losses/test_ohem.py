"""Online hard example mining against an implementation by hand in numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.datasets.classes import ClassSet
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.losses import create_loss, loss_of_coarse
from foveate.pipeline.mixing import MixingConfig
from foveate.pipeline.models import create_model
from foveate.plugins.errors import PluginConfigError

VOID = 255
WEIGHTS = [1.0, 2.0, 0.0, 3.0]


def batch(images: int = 3) -> tuple[Tensor, Tensor]:
    logits, mask = 2 * torch.randn(images, 4, 6, 7), torch.randint(0, 4, (images, 6, 7), dtype=torch.uint8)
    return logits.requires_grad_(), mask.masked_fill(torch.rand(mask.shape) < 0.2, VOID)


def by_hand(logits: Tensor, mask: Tensor, options: dict[str, Any]) -> float:
    """The mean of the sorted losses, pixel by pixel."""
    scores = np.moveaxis(logits.detach().double().numpy(), 1, -1).reshape(-1, 4)
    labels, weights = mask.numpy().ravel(), np.array(options.get("class_weights", [1.0] * 4))
    kept = [i for i in range(len(labels)) if labels[i] != VOID and weights[labels[i]] > 0]
    chance = {i: np.exp(scores[i, labels[i]]) / np.exp(scores[i]).sum() for i in kept}
    order = sorted(kept, key=lambda i: chance[i])
    if "fraction" in options:
        count = math.ceil(options["fraction"] * len(order))
    else:
        least = len(mask) * options["min_kept"] if "min_kept" in options else math.ceil(len(order) / 16)
        count = max(min(least, len(order)), sum(chance[i] < options.get("threshold", 0.7) for i in order))
    hard = order[:count]
    return float(sum(-np.log(chance[i]) * weights[labels[i]] for i in hard) / sum(weights[labels[i]] for i in hard))


OPTIONS: list[dict[str, Any]] = [
    {},
    {"fraction": 0.25},
    {"fraction": 1.0},
    {"threshold": 0.4},
    {"threshold": 0.01},
    {"threshold": 0.01, "min_kept": 11},
    {"threshold": 0.3, "min_kept": 10_000},
    {"fraction": 0.3, "class_weights": WEIGHTS},
    {"threshold": 0.1, "min_kept": 5, "class_weights": WEIGHTS},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_the_mean_over_the_hardest_pixels(options: dict[str, Any]) -> None:
    logits, mask = batch()
    loss = create_loss({"name": "ohem", **options}, 4)(logits, mask)
    assert loss.item() == pytest.approx(by_hand(logits, mask, options), rel=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_coarse_logits_in_half_precision_give_what_full_ones_give(options: dict[str, Any]) -> None:
    mask = batch()[1]
    coarse = torch.randn(3, 4, 3, 4).bfloat16().requires_grad_()
    loss = create_loss({"name": "ohem", **options}, 4)
    full = loss(F.interpolate(coarse.float(), size=mask.shape[1:], mode="bilinear"), mask)
    torch.testing.assert_close(loss_of_coarse(loss, coarse, mask), full)
    wanted = torch.autograd.grad(full, coarse)[0]
    torch.testing.assert_close(torch.autograd.grad(loss_of_coarse(loss, coarse, mask), coarse)[0], wanted)


def test_only_the_kept_share_gets_a_gradient() -> None:
    logits, mask = batch()
    (gradient,) = torch.autograd.grad(create_loss({"name": "ohem", "fraction": 0.25}, 4)(logits, mask), logits)
    touched, labelled = gradient.abs().sum(1) > 0, mask != VOID
    assert int(touched.sum()) == math.ceil(0.25 * int(labelled.sum()))
    assert not (touched & ~labelled).any()


def test_the_whole_share_is_weighted_cross_entropy() -> None:
    logits, mask = batch()
    ours = create_loss({"name": "ohem", "fraction": 1.0, "class_weights": WEIGHTS}, 4)(logits, mask)
    torch.testing.assert_close(ours, F.cross_entropy(logits, mask.long(), torch.tensor(WEIGHTS), ignore_index=VOID))


def test_a_heavier_class_counts_more_among_the_kept() -> None:
    logits = torch.zeros(1, 2, 2, 2).index_fill(1, torch.tensor([0]), 2.0)
    mask = torch.tensor([[[0, 0], [1, 1]]])
    specs: list[Any] = [{"name": "ohem", "fraction": 1.0, "class_weights": weights} for weights in ([3, 1], [1, 3])]
    light, heavy = (create_loss(spec, 2)(logits, mask) for spec in specs)
    assert heavy > light


def test_images_are_mined_too_and_255_is_a_class_among_them() -> None:
    logits, labels = torch.randn(4, 300), torch.tensor([255, -1, 7, 255])
    each = F.cross_entropy(logits[[0, 2, 3]], labels[[0, 2, 3]], reduction="none")
    loss = create_loss({"name": "ohem", "fraction": 0.3}, 300)(logits, labels)
    torch.testing.assert_close(loss, each.max())


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_labelled_gives_zero(images: int) -> None:
    logits = torch.randn(images, 4, 3, 3, requires_grad=True)
    loss = create_loss("ohem", 4)
    mask = torch.full((images, 3, 3), VOID, dtype=torch.uint8)
    for value in (loss(logits, mask), loss_of_coarse(loss, logits, mask)):
        assert value.item() == 0


def test_mixed_images_are_refused_before_training() -> None:
    classes = ClassSet(name="made", names=("a", "b", "c"))
    with pytest.raises(ConfigError, match="the loss 'ohem' does not take mixed labels"):
        ClassificationTask(network="mobilenet_v2_035", labels=classes, loss="ohem", mixing=MixingConfig(mixup=0.8))
    assert ClassificationTask(network="mobilenet_v2_035", labels=classes, loss="ohem", mixing=None).loss is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 0.5, "threshold": 0.7}, "not both"),
        ({"fraction": 0.5, "min_kept": 7}, "not both"),
        ({"fraction": 0}, "fraction is above 0 and at most 1, not 0"),
        ({"fraction": 1.5}, "not 1.5"),
        ({"threshold": 1.0}, "threshold is a probability above 0 and below 1, not 1.0"),
        ({"threshold": float("nan")}, "not nan"),
        ({"min_kept": -1}, "min_kept is a whole number of pixels per image of at least 0, not -1"),
        ({"treshold": 0.7}, "did you mean 'threshold'"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginConfigError, match=message):
        create_loss({"name": "ohem", **options}, 4)


def test_a_segmenter_learns_with_it() -> None:
    network = create_model("segnext_t", num_classes=4)
    mask = torch.randint(0, 4, (2, 32, 32), dtype=torch.uint8)
    create_loss("ohem", 4)(network(torch.randn(2, 3, 32, 32)), mask).backward()
    assert any(bool(p.grad.any()) for p in network.parameters() if p.grad is not None)
