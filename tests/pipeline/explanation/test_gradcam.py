"""Grad-CAM on networks whose answer is known, and the rollout of attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.explanation.gradcam import default_layer, grad_cam
from foveate.pipeline.explanation.tokens import attention_rollout, patches_of
from foveate.pipeline.models import create_model

pytest.importorskip("captum")


class OneQuadrant(nn.Module):
    """Class 1 is the brightness of the quadrant at the top right; class 0 never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]])[..., None, None])
            self.conv.bias.zero_()

    def forward(self, image: Tensor) -> Tensor:
        features = self.conv(image)
        height, width = features.shape[2] // 2, features.shape[3] // 2
        score = features[:, 0, :height, width:].mean((1, 2))
        return torch.stack([torch.zeros_like(score), score], 1)


class Pixelwise(nn.Module):
    """Two features at stride 4; class 1 is the first feature, class 0 the second."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.AvgPool2d(4)

    def forward(self, image: Tensor) -> Tensor:
        features = self.encoder(image)
        return nn.functional.interpolate(features[:, [1, 0]], scale_factor=4)


def quadrant_image() -> Tensor:
    image = torch.zeros(1, 3, 16, 16)
    image[:, 0, :8, 8:] = 1
    return image


def test_the_map_lies_where_the_class_is_decided() -> None:
    network = OneQuadrant().eval()
    cam = grad_cam(network, quadrant_image(), lambda out: out[:, 1], default_layer(network, quadrant_image()))
    assert cam.shape == (16, 16)
    assert cam[:8, 8:].min() == 1
    assert cam[:8, :8].max() == 0 == cam[8:].max()


def test_a_class_that_nothing_raises_has_an_empty_map() -> None:
    assert grad_cam(OneQuadrant().eval(), quadrant_image(), lambda out: out[:, 0] + 0 * out[:, 1], "conv").max() == 0


def test_the_values_are_those_of_the_formula() -> None:
    network = create_model("mscan_t", num_classes=3).eval()
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    cam = grad_cam(network, image, lambda out: out[:, 2], "encoder.norm3")
    features = network.encoder(image)[2].detach().requires_grad_()
    stored = {}
    handle = network.encoder.norm3.register_forward_hook(lambda module, inputs, out: stored.setdefault("out", out))
    out = network(image)
    handle.remove()
    assert stored["out"].numel() == features.numel()
    (gradient,) = torch.autograd.grad(out[0, 2], stored["out"])
    weights = gradient.mean((2, 3), keepdim=True) if stored["out"].ndim == 4 else None
    assert weights is not None
    expected = (weights * stored["out"]).sum(1, keepdim=True).clamp(min=0).detach()
    expected = nn.functional.interpolate(expected, size=(64, 96), mode="bilinear")[0, 0]
    torch.testing.assert_close(cam, expected / expected.max(), rtol=1e-4, atol=1e-5)


def test_the_map_of_a_pixel_holds_what_its_feature_channel_holds() -> None:
    cam = grad_cam(Pixelwise().eval(), quadrant_image(), lambda out: out[:, 1, 2, 12], "encoder")
    assert cam[2, 12] == 1
    assert cam[12, 2] == 0


def test_the_token_of_a_transformer_has_a_map_of_its_patches() -> None:
    network = create_model("vit_ti", num_classes=3, image_size=32, patch_size=8).eval()
    image = torch.randn(1, 3, 32, 40)
    layer = default_layer(network, image)
    assert layer == "encoder.blocks.11.norm1"
    cam = grad_cam(network, image, lambda out: out[:, 0], layer)
    assert cam.shape == (32, 40)
    assert torch.isfinite(cam).all()


@pytest.mark.parametrize(
    ("name", "layer"), [("mscan_t", "encoder"), ("mscan_t+light_ham", "encoder"), ("timm:test_convnext", None)]
)
def test_the_default_layer_is_the_deepest(name: str, layer: str | None) -> None:
    network = create_model(name, num_classes=3).eval()
    found = default_layer(network, torch.randn(1, 3, 64, 64))
    assert found == layer if layer else found.startswith("encoder.")
    pixelwise = "+" in name
    cam = grad_cam(network, torch.randn(1, 3, 64, 64), lambda out: out[:, 0, 5, 5] if pixelwise else out[:, 0], found)
    assert cam.shape == (64, 64)


def test_an_unknown_layer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no layer 'cnv'; did you mean 'conv'\?"):
        grad_cam(OneQuadrant().eval(), quadrant_image(), lambda out: out[:, 1], "cnv")


def test_the_rollout_is_that_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(3, 5, 5, generator=generator).softmax(-1) for _ in range(4)]
    expected = [[float(row == column) for column in range(5)] for row in range(5)]
    for layer in layers:
        mean = [[sum(float(layer[h, r, c]) for h in range(3)) / 3 for c in range(5)] for r in range(5)]
        step = [[0.5 * mean[r][c] + 0.5 * (r == c) for c in range(5)] for r in range(5)]
        expected = [[sum(step[r][k] * expected[k][c] for k in range(5)) for c in range(5)] for r in range(5)]
    rolled = attention_rollout(layers)
    torch.testing.assert_close(rolled, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(rolled.sum(-1), torch.ones(5, dtype=torch.float64))


def test_patches_are_the_last_tokens_row_by_row() -> None:
    tokens = torch.arange(7.0)[None, :, None].expand(1, 7, 2)
    assert patches_of(tokens, (2, 3))[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
