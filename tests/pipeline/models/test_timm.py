"""timm's networks as encoders and classifiers."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.timm import create_classifier, create_encoder, list_encoders
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.errors import PluginConfigError

SMALL = ["test_convnext", "test_efficientnet", "test_resnet", "test_vit", "test_byobnet", "test_nfnet"]


@pytest.mark.parametrize("name", SMALL)
def test_features_are_timms(name: str) -> None:
    theirs = timm.create_model(name, features_only=True).eval()
    ours = create_encoder(f"timm:{name}").eval()
    ours.model.load_state_dict(theirs.state_dict())
    image = torch.randn(1, 3, 160, 160)  # what the networks of one size are for
    with torch.no_grad():
        for feature, expected in zip(ours(image), theirs(image), strict=True):
            torch.testing.assert_close(feature, expected)


@pytest.mark.parametrize("name", [*SMALL, "swin_tiny_patch4_window7_224"])
def test_features_are_rounded_up_at_each_stride(name: str) -> None:
    encoder = create_encoder(f"timm:{name}").eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 65, 97))
    expected = [(1, c, -(-65 // s), -(-97 // s)) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(f.shape) for f in features] == expected


@pytest.mark.parametrize("name", [*SMALL, "mobilenetv3_small_050", "pvt_v2_b0"])
def test_logits_are_timms(name: str) -> None:
    theirs = timm.create_model(name, num_classes=7).eval()
    ours = create_classifier(f"timm:{name}", num_classes=7).eval()
    *_, last = (key for key, value in theirs.state_dict().items() if value.shape == (7,))
    prefix = last.removesuffix("bias")
    state = theirs.state_dict()
    ours.head.classifier.load_state_dict({key: state.pop(prefix + key) for key in ("weight", "bias")})  # type: ignore[union-attr]
    ours.encoder.load_state_dict(state)
    side = timm.get_pretrained_cfg(name).input_size[-1]
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))


def test_a_vit_takes_any_size() -> None:
    model = create_classifier("timm:test_vit", num_classes=3).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 65, 97)).shape == (1, 3)


def test_images_may_have_other_channels() -> None:
    assert create_encoder("timm:test_convnext", in_channels=5)(torch.randn(1, 5, 64, 64))[0].shape[1] == 24
    assert (
        create_classifier("timm:test_convnext", num_classes=3, in_channels=5)(torch.randn(1, 5, 64, 64)).shape[1] == 3
    )


def test_the_stage_slot_follows_each_feature_and_learns() -> None:
    encoder = create_encoder("timm:test_convnext", attention={"stage": "se"})
    sum(feature.pow(2).mean() for feature in encoder(torch.randn(2, 3, 65, 65))).backward()  # type: ignore[union-attr]
    assert len(encoder.attention) == 4
    assert all(isinstance(block, SqueezeExcitation) for block in encoder.attention)
    assert all(p.grad is not None and p.grad.any() for p in encoder.attention.parameters())


def test_the_input_slot_comes_before_the_classifiers_encoder() -> None:
    class Zero(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            assert channels == 3

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0 * x

    model = create_classifier("timm:test_convnext", num_classes=3, attention={"input": Zero}).eval()
    first, second = model(torch.randn(2, 3, 64, 64))
    assert torch.equal(first, second)


def test_the_last_layer_is_the_heads_classifier() -> None:
    state = create_classifier("timm:test_convnext", num_classes=3).state_dict()
    assert [key for key in state if key.startswith("head.")] == ["head.classifier.weight", "head.classifier.bias"]
    assert "encoder.stem.0.weight" in state


@pytest.mark.parametrize(("name", "mean"), [("mobilenetv3_small_050", 0.485), ("vit_tiny_patch16_224", 0.5)])
def test_the_published_normalisation_comes_along(name: str, mean: float) -> None:
    encoder = create_encoder(f"timm:{name}")
    assert encoder.mean[0] == mean
    assert len(encoder.std) == 3
    assert create_classifier(f"timm:{name}", num_classes=2).mean == encoder.mean


@pytest.mark.parametrize("create", [create_encoder, lambda name, **o: create_classifier(name, num_classes=2, **o)])
def test_a_name_timm_lacks_is_answered_with_the_close_one(create) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="timm has no model named 'test_convnex'; did you mean 'test_convnext"):
        create("timm:test_convnex")


def test_an_option_timm_refuses_is_a_mistake_of_the_recipe() -> None:
    with pytest.raises(ConfigError, match=r"timm's test_convnext cannot be built so: .*'drop_pth'"):
        create_encoder("timm:test_convnext", drop_pth=0.1)


def test_two_classifiers_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not end with one linear layer"):
        create_classifier("timm:deit_tiny_distilled_patch16_224", num_classes=2)


@pytest.mark.parametrize(
    ("create", "slots"),
    [(create_encoder, "stage"), (lambda name, **o: create_classifier(name, num_classes=2, **o), "input")],
)
def test_a_slot_that_is_not_there_is_answered_with_those_that_are(create, slots: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PluginConfigError, match=f"has no attention slot 'gate'; slots: {slots}"):
        create("timm:test_convnext", attention={"gate": "se"})


def test_names_carry_the_librarys_prefix() -> None:
    assert "timm:test_convnext" in list_encoders()
