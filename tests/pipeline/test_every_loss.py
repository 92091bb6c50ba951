"""What holds for every loss: odd batches, half precision, class weights, and logits coarser than their labels."""

from __future__ import annotations

from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor

from foveate.pipeline.losses import create_loss, loss_of_coarse
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Loss

NAMES = [offer.record.name for offer in installed_plugins().of_kind(Loss)]
SPECS: list[Any] = [
    *NAMES,
    {"name": "lovasz", "per_image": True},
    {"name": "focal", "gamma": 0.5},
    {"name": "cross_entropy", "average": "all_pixels", "label_smoothing": 0.1},
    *({"name": name, "class_weights": [1, 2, 0, 3]} for name in NAMES),
    ["cross_entropy", {"name": "dice", "weight": 0.5}, {"name": "lovasz", "per_image": True}],
]
VOID = 255


def draw(classes: int = 4, images: int = 2) -> tuple[Tensor, Tensor]:
    return torch.randn(images, classes, 5, 6), torch.randint(0, classes, (images, 5, 6), dtype=torch.uint8)


def one_void_image() -> Tensor:
    _, mask = draw()
    mask[1] = VOID
    return mask


MASKS = {
    "labelled": lambda: draw()[1],
    "some void": lambda: draw()[1].masked_fill(torch.rand(2, 5, 6) < 0.3, VOID),
    "one void image": one_void_image,
    "all void": lambda: torch.full((2, 5, 6), VOID, dtype=torch.uint8),
    "absent classes": lambda: torch.full((2, 5, 6), 1, dtype=torch.uint8),
    "only a class of no weight": lambda: torch.full((2, 5, 6), 2, dtype=torch.uint8),
    "one pixel": lambda: torch.full((2, 5, 6), VOID, dtype=torch.uint8).index_fill(1, torch.tensor([0]), 3),
    "beyond 8 bits": lambda: draw()[1].to(torch.int32),
}


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", MASKS)
def test_it_is_a_finite_number_and_moves_only_what_is_labelled(spec: Any, dtype: torch.dtype, case: str) -> None:
    logits, mask = draw()[0].to(dtype).requires_grad_(), MASKS[case]()
    loss = create_loss(spec, 4)(logits, mask)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (loss.shape, loss.dtype) == ((), torch.float32)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert not gradient.movedim(1, -1)[mask == VOID].any()
    if "void" not in case and "weight" not in case and "all_pixels" not in case:
        assert gradient.any()
    if case == "all void":
        assert loss == 0


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_one_image_alone_and_logits_coarser_than_labels_will_do(spec: Any) -> None:
    logits, mask = draw(images=1)
    mask[0, :2] = VOID
    coarse = logits[..., :3, :3].clone().requires_grad_()
    loss = create_loss(spec, 4)
    full = F.interpolate(coarse, size=mask.shape[1:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(loss_of_coarse(loss, coarse, mask), loss(full, mask))
    (gradient,) = torch.autograd.grad(loss_of_coarse(loss, coarse, mask), coarse)
    (wanted,) = torch.autograd.grad(loss(full, mask), coarse)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("void", [False, True])
def test_a_single_class_will_do(name: str, void: bool) -> None:
    logits = torch.randn(2, 1, 3, 3, requires_grad=True)
    mask = torch.full((2, 3, 3), VOID if void else 0)
    loss = create_loss(name, 1)(logits, mask)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_more_classes_than_eight_bits_hold_will_do(name: str) -> None:
    logits = torch.randn(1, 300, 4, 4)
    mask = torch.tensor([[[0, 17, 299, VOID]] * 4], dtype=torch.int32)
    loss = create_loss(name, 300)
    assert loss(logits, mask).isfinite()
    assert loss(logits, mask) == loss(logits, mask.long())


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "focal"])
def test_among_images_255_is_a_class_and_a_blank_counts_nothing(name: str) -> None:
    logits, labels = torch.randn(3, 300), torch.tensor([255, -1, 7])
    loss = create_loss({"name": name, "class_weights": list(range(1, 301))}, 300)
    torch.testing.assert_close(loss(logits, labels), loss(logits[[0, 2]], labels[[0, 2]]))


@pytest.mark.parametrize("name", NAMES)
def test_equal_class_weights_change_nothing_and_integers_will_do(name: str) -> None:
    logits, mask = draw()
    weighted = create_loss({"name": name, "class_weights": [3, 3, 3, 3]}, 4)
    torch.testing.assert_close(weighted(logits, mask), create_loss(name, 4)(logits, mask))


@pytest.mark.parametrize("name", sorted({*NAMES} - {"binary_cross_entropy", "ohem"}))  # they have tests of their own
def test_a_class_of_more_weight_counts_more(name: str) -> None:
    logits = torch.zeros(1, 2, 2, 2).index_fill(1, torch.tensor([0]), 2.0)  # right for class 0, wrong for class 1
    mask = torch.tensor([[[0, 0], [1, 1]]])
    first, second = (create_loss({"name": name, "class_weights": w}, 2)(logits, mask) for w in ([3, 1], [1, 3]))
    assert second > first


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3], "holds 3 weights for 4 classes"),
        ([1, 2, 3, -1], "at least 0, not -1"),
        ([1, 2, 3, float("nan")], "at least 0, not nan"),
        ([1, 2, 3, float("inf")], "at least 0, not inf"),
        ([0, 0, 0, 0.0], "all 0"),
    ],
)
def test_class_weights_that_make_no_sense_are_refused(name: str, weights: list[float], message: str) -> None:
    with pytest.raises(PluginConfigError, match=message):
        create_loss({"name": name, "class_weights": weights}, 4)


@pytest.mark.parametrize(
    "spec", [{"name": "focal", "gamma": -1}, {"name": "dice", "smooth": -1.0}, {"name": "jaccard", "smooth": -1.0},
             {"name": "binary_cross_entropy", "label_smoothing": 1.5}], ids=str,
)  # fmt: skip
def test_options_out_of_range_are_refused(spec: Any) -> None:
    with pytest.raises(PluginConfigError, match=r"not (-1|1\.5)"):
        create_loss(spec, 4)


def test_focal_with_class_weights_is_the_weighted_mean_of_its_pixels() -> None:
    logits, mask, weights = torch.randn(1, 3, 1, 4), torch.tensor([[[0, 1, 2, VOID]]]), torch.tensor([1.0, 2.0, 5.0])
    each = torch.stack([create_loss("focal", 3)(logits[..., i : i + 1], mask[..., i : i + 1]) for i in range(3)])
    loss = create_loss({"name": "focal", "class_weights": weights.tolist()}, 3)(logits, mask)
    torch.testing.assert_close(loss, (each * weights).sum() / weights.sum())


def test_binary_cross_entropy_with_class_weights_is_torchs() -> None:
    logits, labels, weights = torch.randn(3, 4), torch.tensor([0, 3, 1]), torch.tensor([1.0, 2.0, 0.5, 0.5])
    wanted = F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, 4).float(), weights)  # their mean is 1
    spec: Any = {"name": "binary_cross_entropy", "class_weights": weights.tolist()}
    torch.testing.assert_close(create_loss(spec, 4)(logits, labels), wanted)


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_is_that_of_the_library(per_image: bool) -> None:
    logits, mask = draw()
    logits.requires_grad_()
    mask[0, :2], mask[1] = VOID, 3
    ours = create_loss({"name": "lovasz", "per_image": per_image}, 4)(logits, mask)
    theirs = smp.losses.LovaszLoss("multiclass", per_image=per_image, ignore_index=VOID)(logits, mask.long())
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits))


def test_lovasz_per_image_averages_over_the_images_that_are_labelled() -> None:
    (logits, _), mask = draw(), one_void_image()
    loss = create_loss({"name": "lovasz", "per_image": True}, 4)
    torch.testing.assert_close(loss(logits, mask), loss(logits[:1], mask[:1]))


def test_lovasz_weighs_the_classes_that_are_there() -> None:
    logits, mask = draw(classes=3)
    mask[:] = mask % 2
    alone = [create_loss({"name": "lovasz", "class_weights": w}, 3)(logits, mask) for w in ([1, 0, 0], [0, 1, 0])]
    both = create_loss({"name": "lovasz", "class_weights": [1, 3, 7]}, 3)(logits, mask)
    torch.testing.assert_close(both, (alone[0] + 3 * alone[1]) / 4)
