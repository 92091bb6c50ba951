"""Our encoders under the models of segmentation-models-pytorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from foveate.pipeline.models import conv_attention, mobilenet_v2
from foveate.pipeline.models.smp.registry import register_encoders

NAMES = ["foveate-mscan_t", "foveate-van_b0", "foveate-mobilenet_v2_035"]


@pytest.fixture(scope="module", autouse=True)
def registered() -> list[str]:
    return register_encoders()


def test_every_encoder_of_ours_is_there(registered: list[str]) -> None:
    assert {f"foveate-{name}" for name in (*conv_attention.NAMES, *mobilenet_v2.NAMES)} <= set(registered)
    assert set(registered) <= set(smp.encoders.get_encoder_names())


@pytest.mark.parametrize(("architecture", "name"), [*(("Unet", name) for name in NAMES), ("FPN", NAMES[0])])
def test_the_librarys_models_learn_over_ours(architecture: str, name: str) -> None:
    model = getattr(smp, architecture)(name, encoder_weights=None, classes=5)
    logits = model(torch.randn(2, 3, 64, 96))
    assert logits.shape == (2, 5, 64, 96)
    logits.pow(2).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_features_are_laid_out_as_the_library_has_them(name: str) -> None:
    encoder = smp.encoders.get_encoder(name, in_channels=4)
    features = encoder(torch.randn(1, 4, 64, 96))
    assert [f.shape[1] for f in features] == encoder.out_channels
    assert [tuple(f.shape[2:]) for f in features] == [(64 // s, 96 // s) for s in (1, 2, 4, 8, 16, 32)]


@pytest.mark.parametrize(("name", "stride"), [(NAMES[0], 8), (NAMES[1], 16), (NAMES[2], 8)])
def test_dilation_keeps_the_sides(name: str, stride: int) -> None:
    encoder = smp.encoders.get_encoder(name, output_stride=stride).eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 64, 96))
    assert [f.shape[2] for f in features] == [64 // min(s, stride) for s in (1, 2, 4, 8, 16, 32)]


def test_dilation_samples_what_the_strided_encoder_sees() -> None:
    """Every second place of the dilated feature is the strided one: the weights keep their meaning."""
    plain, dilated = (smp.encoders.get_encoder("foveate-mobilenet_v2_035", output_stride=s).eval() for s in (32, 16))
    dilated.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(dilated(image)[-1][..., ::2, ::2], plain(image)[-1], rtol=1e-4, atol=1e-5)


def test_deeplab_takes_ours_dilated() -> None:
    model = smp.DeepLabV3Plus("foveate-mscan_t", encoder_weights=None, classes=5)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5, 64, 64)


def test_a_shallower_network_takes_fewer_features() -> None:
    encoder = smp.encoders.get_encoder("foveate-mscan_t", depth=3)
    assert [f.shape[1] for f in encoder(torch.randn(1, 3, 64, 64))] == encoder.out_channels == [3, 0, 32, 64]


def test_mobilenet_gives_the_librarys_features(jitter: Callable[[nn.Module], nn.Module]) -> None:
    theirs = jitter(smp.encoders.get_encoder("mobilenet_v2")).eval()
    ours = smp.encoders.get_encoder("foveate-mobilenet_v2_100").eval()
    state = {f"encoder.{key}": value for key, value in theirs.state_dict().items() if ".18." not in key}
    ours.load_state_dict(state)
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        *expected, last = theirs(image)
        *features, ours_last = ours(image)
        torch.testing.assert_close(features, expected)
        torch.testing.assert_close(theirs.features[18](ours_last), last)  # which ours leaves to a classifier's head
