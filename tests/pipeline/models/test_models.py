"""What holds for every model that can be named."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model, list_models
from foveate.pipeline.models.layers import DropPath
from foveate.plugins.errors import PluginConfigError

Jitter = Callable[[nn.Module], nn.Module]
SMALL = "segnext_t"

# Of the published models: the encoder alone, with 150 classes, with 19.
PARAMETERS = {
    "segnext_t": (3_903_584, 4_263_414, 4_229_747),
    "segnext_s": (13_450_176, 13_932_886, 13_899_219),
    "segnext_b": (26_277_824, 27_636_310, 27_569_107),
    "segnext_l": (44_636_864, 48_926_550, 48_792_275),
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module", params=list_models())
def trained(request: pytest.FixtureRequest, jitter: Jitter) -> nn.Module:
    """Each model in turn, off its start, for five classes."""
    return jitter(create_model(request.param, num_classes=5))


@pytest.fixture
def model(trained: nn.Module) -> nn.Module:
    trained.zero_grad()
    return trained.eval()


def test_every_model_has_its_parameters_written_down() -> None:
    assert list(PARAMETERS) == list_models()


@pytest.mark.parametrize("classes", [150, 19])
@pytest.mark.parametrize("name", list_models())
def test_parameters_are_the_published_ones(name: str, classes: int) -> None:
    model = create_model(name, num_classes=classes)
    encoder, large, small = PARAMETERS[name]
    assert count(model.encoder) == encoder  # type: ignore[arg-type]
    assert count(model) == (large if classes == 150 else small)


@pytest.mark.parametrize("size", [(33, 65), (64, 64), (97, 31), (1, 1), (8, 40)], ids=str)
def test_logits_have_the_images_size(model: nn.Module, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = model(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert logits.isfinite().all()


def test_gradients_reach_the_image_and_every_parameter(model: nn.Module) -> None:
    image = torch.randn(1, 3, 64, 96, requires_grad=True)
    logits = model(image)
    (logits * torch.randn(logits.shape)).mean().backward()
    for name, tensor in [("image", image), *model.named_parameters()]:
        assert tensor.grad is not None, name
        assert tensor.grad.isfinite().all(), name
        assert tensor.grad.any(), name


def test_training_gives_finite_gradients(model: nn.Module) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()(torch.randn(2, 3, 64, 64)).pow(2).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.load_state_dict(state)  # batch norm has counted


def test_evaluation_repeats_to_the_last_bit(model: nn.Module) -> None:
    image = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        assert torch.equal(model(image), model(image))


def test_images_of_a_batch_do_not_see_each_other(model: nn.Module) -> None:
    images = torch.randn(3, 3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[1:2], model(images[1:2]), atol=1e-3, rtol=1e-3)


def test_features_have_the_encoders_strides_and_channels(model: nn.Module) -> None:
    encoder = model.encoder
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 65, 96))  # type: ignore[operator]
    expected = [(1, c, -(-65 // s), -(-96 // s)) for c, s in zip(encoder.channels, encoder.strides, strict=True)]  # type: ignore[arg-type,union-attr]
    assert [tuple(f.shape) for f in features] == expected


def test_bfloat16_autocast_is_finite_in_training_and_evaluation(model: nn.Module) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for training in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.train(training)(torch.randn(2, 3, 64, 64))
        assert logits.isfinite().all()
    model.load_state_dict(state)


def test_state_dict_carries_everything(model: nn.Module, request: pytest.FixtureRequest) -> None:
    twin = create_model(request.node.callspec.params["trained"], num_classes=5).eval()
    twin.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 32, 40)
    with torch.no_grad():
        assert torch.equal(twin(image), model(image))


@pytest.mark.parametrize("size", [(64, 96), (33, 65)], ids=str)
def test_the_exported_program_gives_the_same_logits(size: tuple[int, int], jitter: Jitter) -> None:
    model = jitter(create_model(SMALL, num_classes=5)).eval()
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        program = torch.export.export(model, (image,))
        torch.testing.assert_close(program.module()(image), model(image))
        other = torch.randn(1, 3, *size)
        torch.testing.assert_close(program.module()(other), model(other))


def test_an_unknown_model_is_answered_with_the_close_one() -> None:
    with pytest.raises(ConfigError, match="'segnext_tt'; did you mean 'segnext_t'") as caught:
        create_model("segnext_tt", num_classes=5)
    assert caught.value.exit_code == 2
    assert all(name in str(caught.value) for name in list_models())


@pytest.mark.parametrize("name", list_models())
def test_an_unknown_option_is_answered_with_those_accepted(name: str) -> None:
    with pytest.raises(PluginConfigError, match="'drop_pth'; did you mean 'drop_path'"):
        create_model(name, num_classes=5, drop_pth=0.1)


PAIRS = ["mscan_t+light_ham", "mobilenet_v2_035+smp:FPN", "smp:resnet18+light_ham", "timm:test_resnet+smp:Unet"]


@pytest.mark.parametrize("name", PAIRS)
def test_any_encoder_goes_under_any_decoder(name: str) -> None:
    model = create_model(name, num_classes=5, attention={"stage": "se", "decoder": ["cbam"]}).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 65, 97)).shape == (1, 5, 65, 97)
    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds.count("ConvBlockAttention") == 1
    assert "SqueezeExcitation" in kinds


def test_mscan_under_light_ham_is_segnext() -> None:
    options = {"decoder": {"channels": 256, "rank": 16}}
    by_parts, by_name = (
        create_model("mscan_t+light_ham", num_classes=5, **options),
        create_model("segnext_t", num_classes=5),
    )
    by_parts.load_state_dict(by_name.state_dict())
    image = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        assert torch.equal(by_parts.eval()(image), by_name.eval()(image))


def test_options_go_to_their_part() -> None:
    model = create_model("mscan_t+light_ham", num_classes=5, encoder={"drop_path": 0.5}, decoder={"rank": 4})
    rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
    assert max(rates) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mscan_tt+light_ham", {}, "did you mean 'mscan_t+light_ham'"),
        ("mscan_t+light_hum", {}, "did you mean 'mscan_t+light_ham'"),
        ("mscan_t+light_ham", {"rank": 4}, "{encoder: {...}, decoder: {...}}, not 'rank'"),
        (
            "mscan_t+light_ham",
            {"decoder": {"rang": 4}},
            "decoder 'light_ham' has no option 'rang'; did you mean 'rank'",
        ),
        (
            "mscan_t+light_ham",
            {"attention": {"input": "stn"}},
            "a block that warps the image would leave the mask behind",
        ),
        ("mscan_t", {"attention": {"decoder": "se"}}, "no attention slot 'decoder'"),
        ("smp:resnet0", {}, "resnet"),
        ("timm:resnet18zz+light_ham", {}, "did you mean"),
    ],
)
def test_what_does_not_fit_is_said(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigError, PluginConfigError), match=re.escape(message)):
        create_model(name, num_classes=5, **options)
