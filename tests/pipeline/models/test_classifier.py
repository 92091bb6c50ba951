"""What holds for every family of encoders and classifiers."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.pipeline.models import conv_attention, mobilenet_v2, vit
from foveate.pipeline.models.classifier import Classifier, PooledHead, create_pooled_classifier
from foveate.plugins.errors import PluginConfigError

Jitter = Callable[[nn.Module], nn.Module]
FAMILIES = {name: family for family in (conv_attention, mobilenet_v2, vit) for name in family.NAMES}
SMALL = ["mscan_t", "van_b0", "mobilenet_v2_035", "mobilenet_v2_100", "mobilenet_v2_140", "vit_ti"]
GREY = {"in_channels": 1}


@pytest.fixture(scope="module", params=SMALL)
def name(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture
def family(name: str) -> ModuleType:
    return FAMILIES[name]


@pytest.fixture(scope="module")
def trained(name: str, jitter: Jitter) -> nn.Module:
    """Each classifier in turn, off its start, for five classes."""
    return jitter(FAMILIES[name].create_classifier(name, num_classes=5))


@pytest.fixture(scope="module")
def trained_encoder(name: str, jitter: Jitter) -> nn.Module:
    return jitter(FAMILIES[name].create_encoder(name))


@pytest.fixture
def model(trained: nn.Module) -> nn.Module:
    trained.zero_grad()
    return trained.eval()


@pytest.fixture
def encoder(trained_encoder: nn.Module) -> nn.Module:
    trained_encoder.zero_grad()
    return trained_encoder.eval()


def assert_gradients_arrive(module: nn.Module, image: Tensor) -> None:
    for name, tensor in [("image", image), *module.named_parameters()]:
        assert tensor.grad is not None, name
        assert tensor.grad.isfinite().all(), name
        assert tensor.grad.any(), name


@pytest.mark.parametrize("size", [(65, 97), (33, 64), (7, 150), (1, 1)], ids=str)
def test_an_image_of_any_size_gives_logits(model: nn.Module, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = model(torch.randn(1, 3, *size))
    assert logits.shape == (1, 5)
    assert logits.isfinite().all()


@pytest.mark.parametrize("size", [(65, 97), (64, 96), (1, 1)], ids=str)
def test_features_have_the_encoders_strides_and_channels(encoder: nn.Module, size: tuple[int, int]) -> None:
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, *size))
    sizes = zip(encoder.channels, encoder.strides, strict=True)  # type: ignore[arg-type]
    expected = [(1, channels, -(-size[0] // stride), -(-size[1] // stride)) for channels, stride in sizes]
    assert [tuple(feature.shape) for feature in features] == expected


def test_gradients_of_the_logits_reach_everything(model: nn.Module) -> None:
    image = torch.randn(1, 3, 65, 97, requires_grad=True)
    logits = model(image)
    (logits * torch.randn(logits.shape)).sum().backward()
    assert_gradients_arrive(model, image)


def test_gradients_of_the_features_reach_everything(encoder: nn.Module) -> None:
    image = torch.randn(1, 3, 65, 97, requires_grad=True)
    sum((feature * torch.randn(feature.shape)).mean() for feature in encoder(image)).backward()  # type: ignore[union-attr]
    assert_gradients_arrive(encoder, image)


def test_training_gives_finite_gradients(model: nn.Module) -> None:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    F.cross_entropy(model.train()(torch.randn(2, 3, 64, 64)), torch.tensor([0, 4])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.load_state_dict(state)  # batch norm has counted


def test_evaluation_repeats_to_the_last_bit(model: nn.Module) -> None:
    image = torch.randn(2, 3, 65, 97)
    with torch.no_grad():
        assert torch.equal(model(image), model(image))


def test_images_of_a_batch_do_not_see_each_other(model: nn.Module) -> None:
    images = torch.randn(3, 3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[1:2], model(images[1:2]), atol=1e-3, rtol=1e-3)


def test_state_dict_carries_everything(model: nn.Module, name: str, family: ModuleType) -> None:
    twin = family.create_classifier(name, num_classes=5).eval()
    twin.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        assert torch.equal(twin(image), model(image))
    assert {key.split(".")[0] for key in model.state_dict()} == {"encoder", "head"}
    assert model.get_parameter("head.classifier.weight").shape[0] == 5


def test_channels_last_changes_nothing(model: nn.Module) -> None:
    image = torch.randn(2, 3, 65, 97)
    with torch.no_grad():
        plain = model(image)
        torch.testing.assert_close(model(image.to(memory_format=torch.channels_last)), plain, atol=1e-3, rtol=1e-3)


def test_bfloat16_autocast_is_finite_in_training_and_evaluation(model: nn.Module) -> None:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    for training in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.train(training)(torch.randn(2, 3, 65, 97))
        assert logits.isfinite().all()
    model.load_state_dict(state)


def test_the_classifiers_weights_load_into_the_encoder(model: nn.Module, encoder: nn.Module) -> None:
    state = model.encoder.state_dict()  # type: ignore[union-attr]
    missing, unexpected = encoder.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.startswith("pyramid.") for key in missing)


@pytest.mark.slow
def test_the_exported_program_takes_any_batch(model: nn.Module) -> None:
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(2, 3, 65, 97),), dynamic_shapes=(batch,))
        images = torch.randn(3, 3, 65, 97)
        torch.testing.assert_close(program.module()(images), model(images), atol=1e-3, rtol=1e-3)


def test_grey_images_are_taken_where_asked_for(name: str, family: ModuleType) -> None:
    image = torch.randn(1, 1, 32, 40)
    assert family.create_classifier(name, num_classes=2, **GREY).eval()(image).shape == (1, 2)
    assert len(family.create_encoder(name, **GREY).eval()(image)) > 1


@pytest.mark.parametrize("name", ["mscan_t", "van_b0", "mobilenet_v2_035", "vit_ti"], scope="module")
def test_every_slot_it_names_holds_a_block_that_learns(name: str, family: ModuleType, jitter: Jitter) -> None:
    slots = ("input", *family.SLOTS)
    for slot in slots:
        block = {"name": "cbam", "reduction": 1} if slot == "input" else "simam" if slot == "gate" else "se"
        plain = family.create_classifier(name, num_classes=2)
        model = jitter(family.create_classifier(name, num_classes=2, attention={slot: block})).eval()
        assert slot == "gate" or count(model) > count(plain)
        image = torch.randn(1, 3, 40, 56, requires_grad=True)
        (model(image) * torch.tensor([1.0, -2.0])).sum().backward()
        assert_gradients_arrive(model, image)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_slot_that_it_lacks_is_refused_before_anything_is_built(name: str) -> None:
    family = FAMILIES[name]
    with torch.device("meta"):
        with pytest.raises(PluginConfigError, match=f"{name} has no attention slot 'decoder'; slots: input, "):
            family.create_classifier(name, num_classes=2, attention={"decoder": "se"})
        with pytest.raises(PluginConfigError, match=r"no attention slot 'input' .*`input` is for classifiers"):
            family.create_encoder(name, attention={"input": "se"})


def test_the_input_slot_sits_before_the_encoder() -> None:
    class Negative(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            assert channels == 3

        def forward(self, x: Tensor) -> Tensor:
            return -x

    plain = mobilenet_v2.create_classifier("mobilenet_v2_035", num_classes=2).eval()
    turned = mobilenet_v2.create_classifier("mobilenet_v2_035", num_classes=2, attention={"input": Negative}).eval()
    turned.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(turned(image), plain(-image))


class Doubled(nn.Module):
    """An encoder of somebody else."""

    channels = (1, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x[:, :1], 2 * x


def test_an_encoder_without_a_head_gets_one() -> None:
    model = create_pooled_classifier(Doubled(), 4)
    image = torch.randn(2, 3, 5, 6)
    wanted = F.linear(2 * image.mean((2, 3)), model.get_parameter("head.classifier.weight"))
    torch.testing.assert_close(model(image), wanted)


def test_the_mean_is_normalised_where_asked_for() -> None:
    model = create_pooled_classifier(Doubled(), 4, norm=True)
    image = torch.randn(2, 3, 5, 6)
    torch.testing.assert_close(model(image), model(100 * image + 7), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(model(image), create_pooled_classifier(Doubled(), 4)(image))


def test_dropout_comes_before_the_linear_layer_in_training_only() -> None:
    head = PooledHead(64, 2, dropout=0.5)
    features = [torch.ones(1, 64, 2, 2)]
    assert not torch.equal(head.train()(features), head(features))
    torch.testing.assert_close(head.eval()(features), F.linear(torch.ones(1, 64), head.classifier.weight))


def test_a_classifier_is_encoder_and_head() -> None:
    model = Classifier(Doubled(), PooledHead(3, 2))
    assert [name for name, _ in model.named_children()] == ["input", "encoder", "head"]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
