"""The decoder of SegNeXt."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.light_ham import LightHam, NMF2d, create_decoder
from foveate.pipeline.models.segnext import create_segnext
from foveate.pipeline.models.upsampling import upsample


def decoder(**options: object) -> LightHam:
    settings = {"in_channels": (8, 16), "strides": (8, 16), "channels": 32, "rank": 4, "num_classes": 3, **options}
    return LightHam(**settings).eval()  # type: ignore[arg-type]


FEATURES = (torch.rand(2, 8, 6, 8), torch.rand(2, 16, 3, 4))


def test_fixed_bases_give_one_answer() -> None:
    model = decoder()
    assert torch.equal(model(FEATURES), model(FEATURES))


def test_random_bases_give_another_answer_each_time() -> None:
    model = decoder(eval_bases="random")
    assert not torch.equal(model(FEATURES), model(FEATURES))


def test_training_starts_from_random_bases() -> None:
    model = NMF2d(8, rank=2).train()
    assert not torch.equal(model(FEATURES[0]), model(FEATURES[0]))


def test_fixed_bases_travel_with_the_weights() -> None:
    first, second = decoder(), decoder()
    first.hamburger.ham.bases.mul_(2).add_(0.3)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(FEATURES), second(FEATURES))


@pytest.mark.parametrize("given", ["fixed", "random"])
def test_the_choice_reaches_the_decoder_by_the_models_name(given: Literal["fixed", "random"]) -> None:
    model = create_segnext("segnext_t", num_classes=2, eval_bases=given)
    assert model.decoder.hamburger.ham.eval_bases == given


@pytest.mark.parametrize(
    ("name", "rank", "bases"), [("segnext_t", None, 16), ("segnext_b", None, 64), ("segnext_b", 16, 16)]
)
def test_the_rank_is_the_variants_unless_given(name: str, rank: int | None, bases: int) -> None:
    assert create_segnext(name, num_classes=2, rank=rank).decoder.hamburger.ham.rank == bases


def test_logits_have_the_finest_features_size() -> None:
    assert decoder()(FEATURES).shape == (2, 3, 6, 8)


def test_bfloat16_weights_still_factorise_in_float32() -> None:
    model = decoder().bfloat16()
    logits = model([feature.bfloat16() for feature in FEATURES])
    assert logits.dtype == torch.bfloat16
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("strides", "taken", "stride"),
    [
        ((2, 4, 8, 16, 32), (2, 3, 4), 8),
        ((4, 8, 16, 32), (1, 2, 3), 8),
        ((2, 4, 8, 16, 16), (2, 3, 4), 8),
        ((16, 16, 16, 16), (1, 2, 3), 16),
        ((4, 8), (0, 1), 4),
    ],
    ids=str,
)
def test_it_takes_three_features_of_any_encoder(strides: tuple[int, ...], taken: tuple[int, ...], stride: int) -> None:
    widths = [8 + index for index in range(len(strides))]
    model = create_decoder("light_ham", in_channels=widths, strides=strides, num_classes=3, channels=32, rank=4)
    features = [torch.randn(2, width, 64 // s, 96 // s) for width, s in zip(widths, strides, strict=True)]
    assert (model.taken, model.stride) == (taken, stride)
    assert model(features).shape == (2, 3, 64 // stride, 96 // stride)


def test_a_width_that_its_groups_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="channels is a multiple of that, not 40"):
        create_decoder("light_ham", in_channels=(8, 8, 8), strides=(8, 16, 32), num_classes=3, channels=40)


def test_the_decoder_slot_comes_before_the_classifier_and_learns() -> None:
    model = decoder(attention="se").train()
    model(FEATURES).pow(2).mean().backward()
    gradient = model.get_parameter("attention.fc1.weight").grad
    assert gradient is not None
    assert gradient.any()


@pytest.mark.parametrize(
    ("strides", "stride", "finer"),
    [((2, 4, 8, 16, 32), 4, (1,)), ((2, 4, 8, 16, 32), 2, (1, 0)), ((4, 8, 16, 32), 8, ())],
    ids=str,
)
def test_finer_features_refine_the_logits(strides: tuple[int, ...], stride: int, finer: tuple[int, ...]) -> None:
    widths = [8 + index for index in range(len(strides))]
    model = create_decoder(
        "light_ham", in_channels=widths, strides=strides, num_classes=3, stride=stride, channels=32, rank=4
    ).eval()
    features = [torch.randn(2, width, 64 // s, 96 // s) for width, s in zip(widths, strides, strict=True)]
    logits = model(features)
    assert (model.finer, logits.shape) == (finer, (2, 3, 64 // stride, 96 // stride))
    for refine in model.refine:
        refine.conv_seg.weight.data.normal_()  # type: ignore[operator, union-attr]
    for index in finer:
        changed = [feature + (number == index) * feature.abs() for number, feature in enumerate(features)]
        assert not torch.allclose(model(changed), model(features))


def test_refined_logits_start_as_the_coarse_ones() -> None:
    finer = create_segnext("segnext_t", num_classes=3, stride=4).eval()
    coarse = create_segnext("segnext_t", num_classes=3).eval()
    coarse.load_state_dict({name: finer.state_dict()[name] for name in coarse.state_dict()})
    image = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(finer.decode(image), upsample(coarse.decode(image), (16, 24)))


def test_a_size_that_strides_do_not_divide_is_refined() -> None:
    model = create_segnext("segnext_t", num_classes=3, stride=4).eval()
    assert model.stride == 4
    assert model(torch.randn(1, 3, 45, 61)).shape == (1, 3, 45, 61)


@pytest.mark.parametrize("stride", [2, 16])
def test_a_stride_that_no_finer_feature_has_is_refused(stride: int) -> None:
    with pytest.raises(ConfigError, match=f"stride is 4, 8, the strides of this encoder's features, not {stride}"):
        create_segnext("segnext_t", num_classes=3, stride=stride)


def test_without_a_stride_the_weights_have_the_published_names_alone() -> None:
    assert not [name for name in decoder().state_dict() if "refine" in name]
