"""Cross-entropy against torch's, and what torch's gets wrong for us."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.pipeline.losses import create_loss
from foveate.pipeline.losses.cross_entropy import Average, cross_entropy
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Loss

LOSSES: list[Any] = [offer.record.name for offer in installed_plugins().of_kind(Loss)]
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.0])


def batch(ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    logits = torch.randn(2, 4, 5, 6, requires_grad=True)
    mask = torch.randint(0, 4, (2, 5, 6), dtype=torch.uint8)
    mask[torch.rand(mask.shape) < ignored] = 255
    return logits, mask


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_over_valid_pixels_it_is_torchs(weights: Tensor | None, smoothing: float) -> None:
    logits, mask = batch()
    got = cross_entropy(logits, mask, weights=weights, label_smoothing=smoothing)
    wanted = F.cross_entropy(logits, mask.long(), weights, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(torch.autograd.grad(got, logits), torch.autograd.grad(wanted, logits))


def test_over_all_pixels_ignored_ones_count_in_the_denominator() -> None:
    logits = torch.zeros(1, 4, 2, 2)
    mask = torch.tensor([[[0, 255], [3, 255]]], dtype=torch.uint8)
    loss = cross_entropy(logits, mask, average="all_pixels")
    torch.testing.assert_close(loss, torch.tensor(4.0).log() * 2 / 4)


@pytest.mark.parametrize("average", ["valid", "all_pixels"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_nothing_labelled_gives_zero_and_no_gradient(weights: Tensor | None, average: Average) -> None:
    logits, mask = batch(ignored=1.1)
    loss = cross_entropy(logits, mask, average=average, weights=weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()


def test_only_classes_of_no_weight_give_zero_not_nan() -> None:
    mask = torch.full((1, 2, 2), 3, dtype=torch.uint8)
    assert cross_entropy(torch.randn(1, 4, 2, 2), mask, weights=WEIGHTS).item() == 0


def test_ignored_pixels_get_no_gradient() -> None:
    logits, mask = batch()
    (gradient,) = torch.autograd.grad(cross_entropy(logits, mask), logits)
    touched = gradient.abs().sum(1) > 0
    assert torch.equal(touched, mask != 255)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_any_whole_type_will_do(dtype: torch.dtype) -> None:
    logits, mask = batch()
    assert cross_entropy(logits, mask.to(dtype)).item() == cross_entropy(logits, mask).item()


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits, mask = torch.randn(1, 4, 200, 200).bfloat16(), torch.zeros(1, 200, 200, dtype=torch.uint8)
    loss = cross_entropy(logits, mask)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, cross_entropy(logits.float(), mask))


def test_the_recipe_reaches_the_loss() -> None:
    logits, mask = batch()
    spec = {
        "name": "cross_entropy",
        "average": "all_pixels",
        "label_smoothing": 0.2,
        "class_weights": WEIGHTS.tolist(),
    }
    wanted = cross_entropy(logits, mask, average="all_pixels", label_smoothing=0.2, weights=WEIGHTS)
    assert create_loss(spec, 4)(logits, mask).item() == wanted.item()


def test_weights_for_other_classes_are_refused() -> None:
    with pytest.raises(PluginConfigError, match="holds 4 weights for 19 classes"):
        create_loss({"name": "cross_entropy", "class_weights": WEIGHTS.tolist()}, 19)


def test_several_losses_are_summed_with_their_weights() -> None:
    logits, mask = batch()
    both = create_loss(["cross_entropy", {"name": "dice", "weight": 0.5}], 4)(logits, mask)
    wanted = create_loss("cross_entropy", 4)(logits, mask) + 0.5 * create_loss("dice", 4)(logits, mask)
    torch.testing.assert_close(both, wanted)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_least_where_all_is_right(name: str) -> None:
    _, mask = batch(0)
    right = F.one_hot(mask.long(), 4).movedim(-1, 1).float() * 20 - 10
    loss = create_loss(name, 4)
    assert loss(right, mask) < 0.01 < loss(-right, mask)


def test_focal_without_focus_is_cross_entropy() -> None:
    logits, mask = batch()
    focal = create_loss({"name": "focal", "gamma": 0}, 4)
    torch.testing.assert_close(focal(logits, mask), cross_entropy(logits, mask))


def test_focal_is_torchvisions_weighting() -> None:
    logits, mask = torch.tensor([[[[0.0]], [[1.0]]]]), torch.tensor([[[1]]])
    probability = torch.tensor(1.0).sigmoid()
    wanted = (1 - probability) ** 2 * -probability.log()
    torch.testing.assert_close(create_loss("focal", 2)(logits, mask), wanted)


def test_binary_cross_entropy_is_torchs_on_one_hot_labels() -> None:
    logits, labels = torch.randn(3, 4), torch.tensor([0, 3, -1])
    wanted = F.binary_cross_entropy_with_logits(logits[:2], F.one_hot(labels[:2], 4).float())
    torch.testing.assert_close(create_loss("binary_cross_entropy", 4)(logits, labels), wanted)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
def test_shares_of_classes_give_what_their_numbers_give(name: str) -> None:
    logits, labels = torch.randn(3, 4), torch.tensor([0, 3, 1])
    loss = create_loss(name, 4)
    torch.testing.assert_close(loss(logits, F.one_hot(labels, 4).float()), loss(logits, labels))


def test_an_unknown_loss_is_answered_with_the_close_one() -> None:
    with pytest.raises(PluginConfigError, match=r"no loss named 'dise'; did you mean 'dice'\?"):
        create_loss("dise", 4)
