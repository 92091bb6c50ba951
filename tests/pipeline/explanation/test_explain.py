"""Explanations of whole networks: arrays, the picture and the command."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.explanation import draw_explanation, explain
from foveate.pipeline.hub import HubModel, save_pretrained
from foveate.pipeline.models import create_model

pytest.importorskip("captum")
pytest.importorskip("matplotlib")
CLASSES = ["sky", "road", "tree"]


def model(network: str = "mscan_t+light_ham", **settings: object) -> HubModel:
    torch.manual_seed(0)
    evaluation = None if "+" in network else {"images": {"image_size": [64, 64]}}
    return HubModel(network=network, classes=CLASSES, evaluation=evaluation, **settings).eval()  # type: ignore[arg-type]


def picture(height: int = 64, width: int = 96) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def segmenter() -> HubModel:
    return model(attention={"gate": "msca", "stage": ["se", "cbam"]})


@pytest.fixture(scope="module")
def stored(segmenter: HubModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(segmenter, folder)
    Image.fromarray(picture().permute(1, 2, 0).numpy()).save(folder / "street.png")
    return folder


def test_a_pixel_is_explained_in_the_class_that_is_predicted_there(segmenter: HubModel) -> None:
    found = explain(segmenter, picture(), at=(40, 60))
    with torch.no_grad():
        logits = segmenter(picture()[None])[0]
    assert found.target == int(logits[:, 40, 60].argmax())
    assert found.probability == pytest.approx(float(logits[:, 40, 60].softmax(0).max()), rel=1e-4)
    assert found.cam.shape == (64, 96)
    assert found.influence is not None
    assert found.influence.shape == (64, 96)
    assert found.rollout is None
    assert {one.block for one in found.maps} == {
        *("MultiScaleConvAttention", "SqueezeExcitation", "ChannelGate", "SpatialGate")
    }


def test_a_class_without_a_pixel_is_the_mean_over_its_pixels(segmenter: HubModel) -> None:
    with torch.no_grad():
        logits = segmenter(picture()[None])[0]
    largest = int(logits.argmax(0).flatten().bincount(minlength=3).argmax())
    found = explain(segmenter, picture())
    assert found.target == largest
    mask = logits.argmax(0) == largest
    assert found.probability == pytest.approx(float(logits.softmax(0)[largest][mask].mean()), rel=1e-4)


def test_a_class_that_is_predicted_nowhere_is_explained_with_a_note(segmenter: HubModel) -> None:
    without = copy.deepcopy(segmenter)
    with torch.no_grad():
        without.network.decoder.conv_seg.bias[2] = -1000
    found = explain(without, picture(), target="tree")
    assert "no pixel is predicted as this class" in found.notes[0]


class Patches(nn.Module):
    """A feature map of the means of patches of 16 x 16 pixels."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (nn.functional.avg_pool2d(image, 16),)


class Means(nn.Module):
    """A classifier whose logits are means of channels of the last feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Patches()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.encoder(image)[-1].mean((2, 3))


def test_the_receptive_field_at_a_pixel_is_the_patch_around_it() -> None:
    found = explain(Means(), torch.rand(3, 48, 64), at=(20, 60))
    expected = np.zeros((48, 64), dtype=np.float32)
    expected[16:32, 48:64] = 1
    assert found.influence is not None
    np.testing.assert_array_equal(found.influence, expected)


def test_a_large_image_is_reduced_and_the_pixel_with_it(segmenter: HubModel) -> None:
    found = explain(segmenter, picture(64, 96), at=(63, 95), side=48)
    assert (found.image.shape, found.at, found.scale) == ((32, 48, 3), (31, 47), 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"at": (64, 0)}, "pixel 64,0 is outside the image of 64 x 96"),
        ({"target": "rode"}, r"no class 'rode'; did you mean 'road'\? \(classes: sky, road, tree\)"),
        ({"layer": "encoder.block9"}, "no layer 'encoder.block9'"),
    ],
)
def test_what_does_not_exist_is_refused(segmenter: HubModel, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        explain(segmenter, picture(), **settings)  # type: ignore[arg-type]


def test_a_transformer_has_a_rollout_that_sums_the_patches() -> None:
    found = explain(model("vit_ti", network_options={"image_size": 64}), picture(64, 64))
    assert found.rollout is not None
    assert found.rollout.shape == (64, 64)
    assert len([one for one in found.maps if one.kind == "attention"]) == 12


def test_a_network_alone_is_explained_for_its_input() -> None:
    network = create_model("mscan_t", num_classes=3).eval()
    found = explain(network, torch.randn(3, 64, 64))
    assert found.name == f"class {found.target}"
    with pytest.raises(ConfigError, match="load a Predictor"):
        explain(network, "street.png")


def test_explaining_leaves_no_hooks_and_no_gradients(segmenter: HubModel) -> None:
    explain(segmenter, picture(), at=(1, 1))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in segmenter.network.modules())
    assert all(parameter.grad is None for parameter in segmenter.network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mobilenet_v2_035+light_ham", "vit_ti"])
def test_the_picture_is_a_png(network: str, tmp_path: Path) -> None:
    settings = {"network_options": {"image_size": 64}} if network == "vit_ti" else {"attention": {"stage": "scse"}}
    found = explain(model(network, **settings), picture(64, 64))
    draw_explanation(found, tmp_path / "new" / "why.png", blocks=2)
    with Image.open(tmp_path / "new" / "why.png") as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 800


def test_the_command_writes_a_picture_and_tells_the_numbers(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", str(stored), str(stored / "street.png"), "--at", "40,60", "--class", "road"]
    assert main([*words, "--out", str(tmp_path), "--blocks", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["class"], told["at"], told["picture"]) == ("road", [40, 60], str(tmp_path / "street.png"))
    assert (tmp_path / "street.png").is_file()
    assert len(told["maps"]) == 5 * 13 + 4 + 8


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--at", "4"], 2, "--at 4: not ROW,COLUMN"),
        (["--class", "rode"], 2, "did you mean 'road'"),
        (["--side", "0"], 2, "--side is at least 1"),
        (["--out", "{street}/in"], 138, "cannot be written"),
    ],
)
def test_mistakes_are_one_line(
    stored: Path, more: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    street = str(stored / "street.png")
    words = ["explain", str(stored), street, "--blocks=0", *(word.replace("{street}", street) for word in more)]
    assert main(words) == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_without_captum_the_extra_is_named(segmenter: HubModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    with pytest.raises(ConfigError, match=r"pip install 'foveate\[explain\]'"):
        explain(segmenter, picture())
