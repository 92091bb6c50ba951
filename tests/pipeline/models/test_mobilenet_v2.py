"""MobileNetV2 against the paper's figures, torchvision's module and timm's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.mobilenet_v2 import NAMES, MobileNetV2, create_classifier, create_encoder

# With 1000 classes; millions of multiplications at 224 x 224, cut to whole ones as in the paper.
FIGURES = {
    "mobilenet_v2_035": (1_677_128, 59),
    "mobilenet_v2_050": (1_968_680, 97),
    "mobilenet_v2_075": (2_636_424, 209),
    "mobilenet_v2_100": (3_504_872, 300),
    "mobilenet_v2_130": (5_386_792, 509),
    "mobilenet_v2_140": (6_108_776, 582),
}
# Where torchvision's names differ.
HEAD = {"features.18.0.": "head.conv.0.", "features.18.1.": "head.conv.1.", "classifier.1.": "head.classifier."}
Jitter = Callable[[nn.Module], nn.Module]


def from_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    def renamed(key: str) -> str:
        old = next((old for old in HEAD if key.startswith(old)), None)
        return key.replace(old, HEAD[old]) if old else f"encoder.{key}"

    return {renamed(key): tensor for key, tensor in state.items()}


def copied_in_order(target: nn.Module, source: list[Tensor]) -> None:
    """For weights of the same order under other names."""
    target.load_state_dict(dict(zip(target.state_dict(), source, strict=True)))


def error(got: Tensor, wanted: Tensor) -> float:
    """Greatest difference, relative to the greatest value."""
    return ((got - wanted).abs().max() / wanted.abs().max()).item()


def used(model: nn.Module, jitter: Jitter) -> nn.Module:
    """Off its start, with statistics of a few batches."""
    jitter(model).train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(4, 3, 96, 96))
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_operations_are_the_published_ones(name: str) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = create_classifier(name, num_classes=1000).eval()
        model(torch.empty(1, 3, 224, 224))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert (parameters, counter.get_total_flops() // 2_000_000) == FIGURES[name]


@pytest.fixture(scope="module")
def theirs(jitter: Jitter) -> nn.Module:
    return used(torchvision.models.mobilenet_v2(num_classes=7), jitter)


@pytest.fixture
def ours(theirs: nn.Module) -> nn.Module:
    model = create_classifier("mobilenet_v2_100", num_classes=7)
    model.load_state_dict(from_torchvision(theirs.state_dict()))
    return model.eval()


@pytest.mark.parametrize("size", [(224, 224), (97, 131), (32, 33)], ids=str)
def test_it_gives_what_torchvisions_gives(size: tuple[int, int], ours: nn.Module, theirs: nn.Module) -> None:
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        assert error(ours(image), theirs(image)) < 1e-5


def test_it_trains_as_torchvisions_does(ours: nn.Module, theirs: nn.Module) -> None:
    state = {key: value.clone() for key, value in theirs.state_dict().items()}
    image = torch.randn(3, 3, 97, 131)
    logits = []
    for model in (ours, theirs):
        torch.manual_seed(3)  # of the dropout
        logits.append(model.train()(image))
        logits[-1].square().mean().backward()
    assert error(*logits) < 1e-5
    first = ours.get_parameter("encoder.features.0.0.weight").grad
    wanted = theirs.get_parameter("features.0.0.weight").grad
    assert first is not None
    assert wanted is not None
    assert error(first, wanted) < 1e-4
    theirs.eval().load_state_dict(state)


def test_features_are_the_last_of_each_stride(ours: nn.Module, theirs: nn.Module) -> None:
    image, layers = torch.randn(1, 3, 97, 131), theirs.get_submodule("features")
    with torch.no_grad():
        features = ours.get_submodule("encoder")(image)
        for feature, last in zip(features, (1, 3, 6, 13, 17), strict=True):
            assert error(feature, layers[: last + 1](image)) < 1e-5  # type: ignore[index]
    assert [feature.shape[1] for feature in features] == [16, 24, 32, 96, 320]


@pytest.mark.parametrize("width", ["050", "140"])
def test_other_widths_give_what_timms_give(width: str, jitter: Jitter) -> None:
    theirs = used(timm.create_model(f"mobilenetv2_{width}", num_classes=7), jitter)
    ours = create_classifier(f"mobilenet_v2_{width}", num_classes=7).eval()
    encoder, last, classifier = split_at(theirs, ("conv_head", "classifier"))
    copied_in_order(ours.get_submodule("encoder"), encoder)
    copied_in_order(ours.get_submodule("head.conv"), last)
    copied_in_order(ours.get_submodule("head.classifier"), classifier)
    image = torch.randn(2, 3, 97, 131)
    with torch.no_grad():
        assert error(ours(image), theirs(image)) < 1e-5


def split_at(model: nn.Module, starts: tuple[str, ...]) -> list[list[Tensor]]:
    """The state dict in order, cut where these begin."""
    parts: list[list[Tensor]] = [[]]
    for key, tensor in model.state_dict().items():
        if len(parts) <= len(starts) and key.startswith(starts[len(parts) - 1]):
            parts.append([])
        parts[-1].append(tensor)
    return parts


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_smaller_output_stride_dilates_as_timms_does(stride: int, jitter: Jitter) -> None:
    theirs = used(timm.create_model("mobilenetv2_050", features_only=True, output_stride=stride), jitter)
    ours = create_encoder("mobilenet_v2_050", output_stride=stride).eval()
    copied_in_order(ours, list(theirs.state_dict().values()))
    image = torch.randn(1, 3, 97, 131)
    with torch.no_grad():
        for got, wanted in zip(ours(image), theirs(image), strict=True):
            assert error(got, wanted) < 1e-5
    assert ours.strides == tuple(min(stride, each) for each in (2, 4, 8, 16, 32))


def test_another_output_stride_is_refused() -> None:
    with pytest.raises(ConfigError, match="no output stride 4; accepted: 8, 16, 32"):
        create_encoder("mobilenet_v2_035", output_stride=4)


def test_real_weights_load_whole(shared: Path) -> None:
    stored = load_file(shared / "weights/mobilenet_v2_1.0_224_imagenet.safetensors")
    model = create_classifier("mobilenet_v2_100", num_classes=len(stored["classifier.1.bias"]))
    model.load_state_dict(from_torchvision(stored))


def test_the_block_slot_follows_the_depthwise_convolution() -> None:
    widths = []

    class Tripled(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.channels = channels
            widths.append(channels)

        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1] == self.channels
            assert x.min() >= 0  # after the ReLU6
            return 3 * x

    plain = MobileNetV2(width=0.35).eval()
    tripled = MobileNetV2(width=0.35, attention={"block": Tripled}).eval()
    tripled.load_state_dict(plain.state_dict())
    assert widths[:3] == [16, 48, 48]
    assert len(widths) == 17
    name, x = "features.2", torch.randn(1, 8, 9, 9)
    changed, bare = tripled.get_submodule(name)(x), plain.get_submodule(name)(x)
    torch.testing.assert_close(changed, 3 * bare, atol=1e-4, rtol=1e-4)  # batch norm has not moved from 0


def test_the_blocks_weights_lie_beside_the_convolutions() -> None:
    state = MobileNetV2(width=0.35, attention={"block": "se", "stage": "se"}).state_dict()
    assert {"features.1.attention.fc1.weight", "features.17.attention.fc2.weight", "attention5.fc1.weight"} <= set(
        state
    )


def test_weights_start_as_in_the_recipe() -> None:
    model = create_classifier("mobilenet_v2_100", num_classes=1000)
    for name, deviation in {
        "encoder.features.0.0.weight": (2 / (9 * 32)) ** 0.5,
        "encoder.features.17.conv.1.0.weight": (2 / 9) ** 0.5,
        "head.conv.0.weight": (2 / 1280) ** 0.5,
        "head.classifier.weight": 0.01,
    }.items():
        assert model.get_parameter(name).std().item() == pytest.approx(deviation, rel=0.1), name
    assert not model.get_parameter("head.classifier.bias").any()
