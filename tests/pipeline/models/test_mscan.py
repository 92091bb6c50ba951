"""MSCAN against the published modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foveate.pipeline.models.conv_attention import create_classifier, create_encoder
from foveate.pipeline.models.layers import ChannelLayerNorm, DropPath
from foveate.pipeline.models.mscan import MSCAN, VARIANTS, GatedAttention
from foveate.pipeline.models.segnext import create_segnext

# Of the published models: the encoder alone, and under a linear layer of 1000 classes.
PARAMETERS = {
    "mscan_t": (3_903_584, 4_160_584),
    "mscan_s": (13_450_176, 13_963_176),
    "mscan_b": (26_277_824, 26_790_824),
    "mscan_l": (44_636_864, 45_149_864),
}


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        classifier = create_classifier(name, num_classes=1000)
        assert (count(create_encoder(name)), count(classifier)) == PARAMETERS[name]
    assert count(classifier.encoder) == PARAMETERS[name][0]


@pytest.mark.parametrize(("name", "last"), [("mscan_t", 0.1), ("mscan_l", 0.3)])
def test_drop_path_is_the_variants_unless_given(name: str, last: float) -> None:
    with torch.device("meta"):
        assert rates(create_encoder(name))[-1] == last
        assert rates(create_encoder(name, drop_path=0.7))[-1] == 0.7
        assert rates(create_segnext(name.replace("mscan", "segnext"), num_classes=2).encoder)[-1] == last


def rates(model: torch.nn.Module) -> list[float]:
    return [module.rate for module in model.modules() if isinstance(module, DropPath)]


def test_the_attention_around_the_gate_gives_the_published_numbers(vectors: Path) -> None:
    stored = {k: torch.from_numpy(v) for k, v in np.load(vectors / "segnext_spatial_attention_dim8.npz").items()}
    attention = GatedAttention(8, gate="msca").eval()
    attention.load_state_dict({key[3:]: tensor for key, tensor in stored.items() if key.startswith("sd/")})
    torch.testing.assert_close(attention(stored["input"]), stored["out0"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "last"), [("mscan_t", 0.1), ("mscan_l", 0.3)])
def test_drop_path_grows_linearly_over_all_blocks(name: str, last: float) -> None:
    variant = VARIANTS[name]
    model = MSCAN(channels=(8, 8, 8, 8), depths=variant.depths, drop_path=variant.drop_path)
    np.testing.assert_allclose(rates(model), np.linspace(0, last, sum(variant.depths)), atol=1e-6)


def test_residual_branches_start_small() -> None:
    model = MSCAN(channels=(8, 16), depths=(1, 1), mlp_ratios=(2, 2))
    scales = [p for name, p in model.named_parameters() if "layer_scale" in name]
    assert len(scales) == 4
    assert all(torch.equal(scale, torch.full_like(scale, 1e-2)) for scale in scales)


@pytest.mark.parametrize(
    ("parameter", "fan_out"),
    [
        ("patch_embed1.proj.0.weight", 9 * 32),
        ("block1.0.attn.proj_1.weight", 64),
        ("block1.0.mlp.dwconv.weight", 9),
        ("block1.0.attn.spatial_gating_unit.conv0.weight", 25),
        ("block1.0.attn.spatial_gating_unit.conv2_1.weight", 21),
    ],
)
def test_convolutions_start_by_their_fan_out(parameter: str, fan_out: int) -> None:
    model = MSCAN(channels=(64,), depths=(1,), mlp_ratios=(8,))
    deviation = model.get_parameter(parameter).std().item()
    assert deviation == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)


def test_every_bias_starts_at_zero() -> None:
    model = MSCAN(channels=(16, 24), depths=(1, 1), mlp_ratios=(2, 2))
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_the_stage_norm_works_on_each_place_by_itself() -> None:
    norm, x = ChannelLayerNorm(6, eps=1e-5), torch.randn(2, 6, 3, 4)
    plain = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), plain)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    dropped = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    torch.testing.assert_close(dropped.unique(), torch.tensor([0, 4 / 3]))
    assert torch.equal(dropped.amin((1, 2)), dropped.amax((1, 2)))
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)


def test_drop_path_is_nothing_at_evaluation() -> None:
    x = torch.randn(2, 3)
    assert DropPath(0.9).eval()(x) is x
