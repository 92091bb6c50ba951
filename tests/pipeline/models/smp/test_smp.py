"""segmentation-models-pytorch: its decoders over any encoder, its encoders under any decoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.mscan import MSCAN
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.models.smp.decoder import create_decoder
from foveate.pipeline.models.smp.encoder import create_encoder
from foveate.pipeline.models.smp.grid import choose_features
from foveate.pipeline.models.smp.names import ARCHITECTURES, list_decoders, list_encoders, rename_smp_keys
from foveate.pipeline.models.timm import create_encoder as create_timm_encoder
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.errors import PluginConfigError

Jitter = Callable[[nn.Module], nn.Module]

SMALL = {"decoder_channels": (32, 16, 16, 8, 8)}
NARROW: dict[str, dict[str, object]] = {
    "Unet": SMALL,
    "UnetPlusPlus": SMALL,
    "MAnet": SMALL,
    "FPN": {"decoder_pyramid_channels": 16, "decoder_segmentation_channels": 64},
    "PSPNet": {"psp_out_channels": 16},
    "DeepLabV3": {"decoder_channels": 16},
    "DeepLabV3Plus": {"decoder_channels": 16},
    "UPerNet": {"decoder_channels": 16},
    "Segformer": {"decoder_segmentation_channels": 16},
    "DPT": {"decoder_intermediate_channels": (8, 8, 16, 16), "decoder_fusion_channels": 16},
}
OUTPUT_STRIDES = {"DeepLabV3": 8, "DeepLabV3Plus": 16, "PAN": 16}  # what smp asks of its own encoder
USUAL = ["Unet", "FPN", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer"]
RARE = ["UnetPlusPlus", "MAnet", "Linknet", "PSPNet", "DeepLabV3"]


def tiny_mscan() -> nn.Module:
    return MSCAN(channels=(8, 16, 24, 32), depths=(1, 1, 1, 1), mlp_ratios=(2, 2, 2, 2), attention={"stage": "se"})


ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "smp:resnet18": lambda: create_encoder("smp:resnet18", attention={"stage": "se"}),
    "tiny mscan": tiny_mscan,
    "timm:test_convnext": lambda: create_timm_encoder("timm:test_convnext", attention={"stage": "se"}),
    "timm:test_vit": lambda: create_timm_encoder("timm:test_vit", attention={"stage": "se"}),
}


def under(encoder: nn.Module, architecture: str, **options: object) -> Segmenter:
    """A segmenter of five classes."""
    decoder = create_decoder(
        f"smp:{architecture}",
        in_channels=encoder.channels,  # type: ignore[arg-type]
        strides=encoder.strides,  # type: ignore[arg-type]
        num_classes=5,
        **options,
    )
    return Segmenter(encoder, decoder)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_decoder_learns_over_every_encoder_at_an_odd_size(encoder: str, architecture: str) -> None:
    model = under(ENCODERS[encoder](), architecture, attention="se", **NARROW.get(architecture, {}))
    logits = model(torch.randn(2, 3, 65, 97))
    assert logits.shape == (2, 5, 65, 97)
    (logits * torch.randn(logits.shape)).mean().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    idle = dict(model.named_parameters()).keys() - gradients.keys()
    if architecture != "PSPNet":  # which takes no more than the strides 2 to 8; others leave out fine features
        assert all(name.startswith("encoder.attention.") for name in idle)
    assert gradients["decoder.attention.fc1.weight"].any()
    assert any(gradient.any() for name, gradient in gradients.items() if "encoder.attention" in name)


@pytest.mark.parametrize("size", [(97, 131), (1, 1), (40, 33)], ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_have_the_images_size(architecture: str, size: tuple[int, int]) -> None:
    model = under(tiny_mscan(), architecture, **NARROW.get(architecture, {})).eval()
    with torch.no_grad():
        logits = model(torch.randn(1, 3, *size))
    assert logits.shape == (1, 5, *size)
    assert logits.isfinite().all()


def compare(encoder: str, architecture: str, jitter: Jitter, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Logits of smp's model and of ours with its weights."""
    options = NARROW.get(architecture, {})
    theirs = jitter(getattr(smp, architecture)(encoder, encoder_weights=None, classes=5, **options)).eval()
    ours = create_encoder(f"smp:{encoder}", output_stride=OUTPUT_STRIDES.get(architecture, 32))
    model = under(ours, architecture, **options).eval()
    model.load_state_dict(rename_smp_keys(theirs.state_dict()))
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        return theirs(image), model(image)


@pytest.mark.parametrize("architecture", [*USUAL, *(pytest.param(name, marks=pytest.mark.slow) for name in RARE)])
def test_the_same_weights_give_the_librarys_logits(architecture: str, jitter: Jitter) -> None:
    expected, logits = compare("resnet18", architecture, jitter, (128, 160) if architecture == "PAN" else (64, 96))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("encoder", ["mobilenet_v2", pytest.param("mit_b0", marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", ["Unet", "DeepLabV3Plus", "UPerNet", "FPN", "Segformer"])
def test_the_same_holds_for_other_encoders(encoder: str, architecture: str, jitter: Jitter) -> None:
    expected, logits = compare(encoder, architecture, jitter, (64, 96))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_dpt_over_a_vit_gives_the_librarys_logits(jitter: Jitter) -> None:
    options = {"decoder_readout": "ignore", **NARROW["DPT"]}
    theirs = smp.DPT("tu-test_vit", encoder_weights=None, classes=5, dynamic_img_size=True, **options)
    jitter(theirs).eval()
    encoder = create_timm_encoder("timm:test_vit", out_indices=theirs.encoder._output_indices)
    model = under(encoder, "DPT", **options).eval()
    renamed = rename_smp_keys(theirs.state_dict())
    model.load_state_dict({key: renamed[key] for key in model.state_dict()})  # without timm's head and last norm
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(model(image), theirs(image), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (2, 4, 8, 16, 32), (16, 16, 16, 16)], ids=str)
def test_no_cell_moves_when_features_are_laid_out(strides: tuple[int, ...]) -> None:
    """Each feature holds the row, in pixels, that its cells are at; so does what the decoder gets."""
    decoder = create_decoder("smp:FPN", in_channels=[8] * len(strides), strides=strides, num_classes=2, **NARROW["FPN"])
    rows = [(torch.arange(-(-65 // s)) + 0.5) * s for s in strides]
    features = [row.view(1, 1, -1, 1).expand(1, 8, -1, 7) for row in rows]
    _, _, *laid_out = decoder.grid.lay_out(features)
    for feature, stride, target in zip(laid_out, strides[-4:], (4, 8, 16, 32), strict=True):
        expected = (torch.arange(96 // target) + 0.5) * target
        seen = (expected >= stride / 2) & (expected <= 65)
        torch.testing.assert_close(feature[0, 0, :, 0][seen], expected[seen])


@pytest.mark.parametrize(
    ("strides", "chosen"),
    [
        ((2, 4, 8, 16, 32), (1, 2, 3, 4)),
        ((4, 8, 16, 32), (0, 1, 2, 3)),
        ((2, 4, 8, 8, 8), (1, 2, 3, 4)),
        ((4, 8, 16, 16, 32), (0, 1, 3, 4)),
        ((16, 32, 64), (0, 0, 0, 1)),
        ((16,) * 12, (2, 5, 8, 11)),
        ((8,), (0, 0, 0, 0)),
    ],
    ids=str,
)
def test_each_stride_gets_the_nearest_feature(strides: tuple[int, ...], chosen: tuple[int, ...]) -> None:
    assert choose_features(strides, (4, 8, 16, 32)) == chosen


def test_the_decoder_slot_sits_before_the_segmentation_head() -> None:
    class Zero(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            assert channels == 8

        def forward(self, x: Tensor) -> Tensor:
            return 0 * x

    model = under(tiny_mscan(), "Unet", attention=Zero, **SMALL).eval()
    logits = model(torch.randn(1, 3, 64, 64))
    bias = model.get_parameter("decoder.segmentation_head.0.bias")
    torch.testing.assert_close(logits, bias.view(1, 5, 1, 1).expand_as(logits))


@pytest.mark.parametrize("slot", ["gate", "stages", "decoder"])
def test_a_slot_an_encoder_lacks_is_answered_with_those_it_has(slot: str) -> None:
    with pytest.raises(PluginConfigError, match=f"smp:resnet18 has no attention slot {slot!r}; slots: stage"):
        create_encoder("smp:resnet18", attention={slot: "se"})


def test_the_stage_slot_follows_each_feature() -> None:
    encoder = create_encoder("smp:resnet18", attention={"stage": "se"})
    blocks = list(encoder.attention)
    assert all(isinstance(block, SqueezeExcitation) for block in blocks)
    assert [block.fc1.in_channels for block in blocks] == [64, 64, 128, 256, 512]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "strides"),
    [({}, (2, 4, 8, 16, 32)), ({"output_stride": 8}, (2, 4, 8, 8, 8)), ({"depth": 3}, (2, 4, 8))],
)
def test_an_encoders_strides_follow_its_options(options: dict[str, int], strides: tuple[int, ...]) -> None:
    encoder = create_encoder("smp:resnet18", in_channels=4, **options)
    features = encoder(torch.randn(1, 4, 65, 97))
    assert encoder.strides == strides
    assert [f.shape[2:] for f in features] == [(-(-65 // s), -(-97 // s)) for s in strides]


@pytest.mark.parametrize("name", ["smp:mit_b0", "smp:tu-test_convnext", "smp:efficientnet-b0"])
def test_features_are_rounded_up_at_each_stride(name: str) -> None:
    encoder = create_encoder(name).eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 65, 97))
    expected = [(1, c, -(-65 // s), -(-97 // s)) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(f.shape) for f in features] == expected


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("smp:resnet81", {}, "no encoder named 'resnet81'; did you mean 'resnet18'.*accepted: resnet18, resnet34"),
        ("smp:tu-test_vitt", {}, "no encoder named 'tu-test_vitt'; did you mean 'tu-test_vit"),
        ("smp:resnet18", {"output_strid": 8}, "option of smp:resnet18 named 'output_strid'; did you mean 'output_str"),
        ("smp:resnet18", {"output_stride": 7}, "smp:resnet18 cannot be built so: .*16 or 8, got 7"),
        ("smp:tu-test_vit", {}, "cannot be built so: .*; timm:test_vit may do"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_encoder(name, **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("smp:UNet", {}, "no decoder named 'UNet'; did you mean 'smp:Unet'.*accepted: Unet, UnetPlusPlus"),
        ("smp:Unet", {"decoder_chanels": (8,)}, "named 'decoder_chanels'; did you mean 'decoder_channels'.*accepted: "),
        ("smp:Unet", {"encoder_weights": "imagenet"}, "no option of smp:Unet named 'encoder_weights'"),
        ("smp:Unet", {"decoder_channels": (8, 8)}, r"strides \(4, 8\): Model depth is 5.*FPN, UPerNet and Segformer"),
        ("smp:FPN", {"upsampling": 16}, "upsampling: 256 rows of logits for 64 of the image"),
        ("smp:DPT", {"decoder_readout": "cat"}, "needs the class token of a ViT.*accepted: ignore"),
    ],
)
def test_a_decoder_that_cannot_be_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        create_decoder(name, in_channels=(8, 16), strides=(4, 8), num_classes=5, **options)
    assert caught.value.exit_code == 2


def test_the_library_forgets_what_was_built() -> None:
    before = set(smp.encoders.encoders)
    under(tiny_mscan(), "Linknet")
    assert set(smp.encoders.encoders) == before


def test_every_name_listed_is_the_librarys() -> None:
    assert all(hasattr(smp, name.removeprefix("smp:")) for name in list_decoders())
    assert "smp:resnet18" in list_encoders()
    assert not any(name.startswith("smp:timm-") for name in list_encoders())
