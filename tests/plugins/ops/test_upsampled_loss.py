"""Cross-entropy on coarse logits against resizing them first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from foveate.plugins.ops.native import upsampled_loss as native
from foveate.plugins.ops.upsampled_loss import upsampled_cross_entropy, upsampled_cross_entropy_plain

SIZES = [
    ((8, 8), (64, 64)),
    ((3, 5), (20, 37)),
    ((7, 4), (50, 30)),
    ((1, 1), (5, 5)),
    ((9, 9), (9, 9)),
    ((12, 12), (5, 7)),
]


def case(classes: int, coarse: tuple[int, int], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(classes)
    labels = torch.randint(0, classes, (2, *size), generator=generator).to(torch.uint8)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = 255
    return torch.randn(2, classes, *coarse, generator=generator) * 3, labels


def loss_and_gradient(loss: Tensor, logits: Tensor) -> tuple[float, Tensor]:
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.item(), gradient


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("coarse", "size"), SIZES, ids=str)
@pytest.mark.parametrize("classes", [2, 16, 19, 150])
def test_equals_the_loss_of_resized_logits(
    classes: int, coarse: tuple[int, int], size: tuple[int, int], weighted: bool, label_smoothing: float
) -> None:
    logits, labels = case(classes, coarse, size)
    weights = torch.rand(classes) + 0.5 if weighted else None
    logits.requires_grad_()
    got = upsampled_cross_entropy(logits, labels, weights=weights, label_smoothing=label_smoothing)
    wanted = upsampled_cross_entropy_plain(logits, labels, weights=weights, label_smoothing=label_smoothing)
    loss, gradient = loss_and_gradient(got, logits)
    plain, plain_gradient = loss_and_gradient(wanted, logits)
    assert loss == pytest.approx(plain, rel=1e-5)
    torch.testing.assert_close(gradient, plain_gradient, rtol=1e-4, atol=1e-5 * plain_gradient.abs().max().item())


def test_logits_far_apart_lose_no_digits() -> None:
    logits = torch.full((1, 3, 2, 2), -300.0)
    logits[0, 0, 0], logits[0, 1, 1] = 300.0, 300.0  # halfway, the largest is far below both corners
    labels = torch.full((1, 16, 16), 2)
    got = upsampled_cross_entropy(logits, labels)
    torch.testing.assert_close(got, upsampled_cross_entropy_plain(logits, labels))


def test_a_label_that_is_no_class_is_told() -> None:
    logits, labels = case(4, (4, 4), (8, 8))
    labels[0, 3, 3] = 9
    with pytest.raises(IndexError, match="Target 9 is out of bounds"):
        upsampled_cross_entropy(logits, labels)


def test_the_kernel_leaves_what_does_not_fit_to_the_stock_operator() -> None:
    logits, labels = case(4, (4, 4), (8, 8))
    assert not native.takes(logits, labels.repeat(2, 1, 1), torch.ones(4))
    assert not native.takes(logits, labels, torch.ones(3))


def test_nothing_labelled_gives_nothing_and_a_gradient_of_zero() -> None:
    logits = torch.randn(1, 5, 4, 4, requires_grad=True)
    loss, gradient = loss_and_gradient(upsampled_cross_entropy(logits, torch.full((1, 8, 8), 255)), logits)
    assert loss == 0
    assert not gradient.any()


def test_logits_in_bfloat16_get_a_gradient_in_bfloat16() -> None:
    logits, labels = case(19, (4, 4), (32, 32))
    low = logits.bfloat16().requires_grad_()
    high = low.detach().float().requires_grad_()
    _, gradient = loss_and_gradient(upsampled_cross_entropy(low, labels), low)
    _, wanted = loss_and_gradient(upsampled_cross_entropy_plain(high, labels), high)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.float(), wanted, rtol=0.01, atol=1e-2)
