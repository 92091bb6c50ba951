"""VAN against the paper's figures and its formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.pipeline.models.conv_attention import create_classifier, create_encoder
from foveate.pipeline.models.layers import DropPath
from foveate.pipeline.models.van import VAN, VARIANTS
from foveate.plugins.attention.lka import LargeKernelAttention

# Of the published models, with 1000 classes.
PARAMETERS = {
    "van_b0": 4_105_800,
    "van_b1": 13_861_800,
    "van_b2": 26_578_472,
    "van_b3": 44_765_608,
    "van_b4": 60_283_176,
    "van_b5": 89_967_688,
    "van_b6": 199_829_416,
}
# Of one block and what surrounds it, in the authors' files.
KEYS = [
    *(f"patch_embed1.{part}" for part in ("proj", "norm")),
    *(f"block1.0.{part}" for part in ("norm1", "norm2", "attn.proj_1", "attn.proj_2", "mlp.fc1", "mlp.fc2")),
    *(f"block1.0.attn.spatial_gating_unit.{part}" for part in ("conv0", "conv_spatial", "conv1")),
    "block1.0.mlp.dwconv",
    "norm1",
]
Jitter = Callable[[nn.Module], nn.Module]


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        model = create_classifier(name, num_classes=1000)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]


def test_names_are_those_of_the_published_weights() -> None:
    state = create_encoder("van_b0").state_dict()
    assert {f"{key}.{kind}" for key in KEYS for kind in ("weight", "bias")} <= set(state)
    assert {"block4.1.layer_scale_1", "block4.1.layer_scale_2", "norm4.weight"} <= set(state)
    assert state["patch_embed1.proj.weight"].shape == (32, 3, 7, 7)
    assert state["patch_embed2.proj.weight"].shape == (64, 32, 3, 3)


def test_its_gate_gives_the_published_numbers(vectors: Path) -> None:
    stored = {k: torch.from_numpy(v) for k, v in np.load(vectors / "van_lka_dim8.npz").items()}
    gate = VAN(channels=(8,), depths=(1,), mlp_ratios=(2,)).get_submodule("block1.0.attn.spatial_gating_unit")
    assert isinstance(gate, LargeKernelAttention)
    gate.load_state_dict({key[3:]: tensor for key, tensor in stored.items() if key.startswith("sd/")})
    torch.testing.assert_close(gate(stored["input"]), stored["out0"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (65, 97)], ids=str)
def test_features_are_those_of_the_formulas(size: tuple[int, int], jitter: Jitter) -> None:
    model = jitter(VAN(channels=(8, 16), depths=(1, 2), mlp_ratios=(4, 2))).double().eval()
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    for got, wanted in zip(model(image), written_out(model.state_dict(), image, depths=(1, 2)), strict=True):
        torch.testing.assert_close(got, wanted)


def written_out(state: dict[str, Tensor], x: Tensor, *, depths: tuple[int, ...]) -> list[Tensor]:
    """The paper's network as bare functions of the published names."""

    def conv(name: str, x: Tensor, **options: int) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    def batch_norm(name: str, x: Tensor) -> Tensor:
        return F.batch_norm(x, *(state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")))

    def attention(name: str, x: Tensor) -> Tensor:
        inner, gate = F.gelu(conv(f"{name}.proj_1", x)), f"{name}.spatial_gating_unit"
        near = conv(f"{gate}.conv0", inner, padding=2, groups=x.shape[1])
        far = conv(f"{gate}.conv_spatial", near, padding=9, dilation=3, groups=x.shape[1])
        return conv(f"{name}.proj_2", conv(f"{gate}.conv1", far) * inner) + x

    def mlp(name: str, x: Tensor) -> Tensor:
        hidden = conv(f"{name}.fc1", x)
        return conv(f"{name}.fc2", F.gelu(conv(f"{name}.dwconv", hidden, padding=1, groups=hidden.shape[1])))

    features = []
    for stage, depth in enumerate(depths, start=1):
        options = {"stride": 4, "padding": 3} if stage == 1 else {"stride": 2, "padding": 1}
        x = batch_norm(f"patch_embed{stage}.norm", conv(f"patch_embed{stage}.proj", x, **options))
        for name in (f"block{stage}.{number}" for number in range(depth)):
            for part, norm, scale in ((attention, "norm1", "layer_scale_1"), (mlp, "norm2", "layer_scale_2")):
                inner = "attn" if part is attention else "mlp"
                out = part(f"{name}.{inner}", batch_norm(f"{name}.{norm}", x))
                x = x + state[f"{name}.{scale}"][:, None, None] * out
        weight, bias = state[f"norm{stage}.weight"], state[f"norm{stage}.bias"]
        x = F.layer_norm(x.movedim(1, -1), (len(weight),), weight, bias, eps=1e-6).movedim(-1, 1)
        features.append(x)
    return features


@pytest.mark.parametrize(("name", "last"), [("van_b2", 0.1), ("van_b3", 0.2)])
def test_drop_path_is_the_papers_unless_given(name: str, last: float) -> None:
    with torch.device("meta"):
        for model, wanted in (
            (create_encoder(name), last),
            (create_classifier(name, num_classes=2, drop_path=0.5), 0.5),
        ):
            rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
            assert (rates[0], rates[-1]) == (0, wanted)
