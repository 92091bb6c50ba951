"""ViT against the paper's figures and timm's module."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import unwrap

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.layers import DropPath
from foveate.pipeline.models.vit.blocks import SHORT, attend
from foveate.pipeline.models.vit.create import NAMES, create_classifier, create_encoder, start_linear
from foveate.pipeline.models.vit.encoder import start_positions
from foveate.pipeline.models.vit.positions import Size, resize_positions
from foveate.pipeline.models.vit.pyramid import FeaturePyramid

# With 1000 classes at 224 x 224, in patches of 16 and of 32.
PARAMETERS = {
    "vit_ti": (5_717_416, 6_131_560),
    "vit_s": (22_050_664, 22_878_952),
    "vit_b": (86_567_656, 88_224_232),
    "vit_l": (304_326_632, 306_535_400),
}
TINY = "vit_tiny_patch16_224"
Jitter = Callable[[nn.Module], nn.Module]


def from_timm(model: nn.Module) -> dict[str, Tensor]:
    state = model.state_dict()
    return {k.replace("head.", "head.classifier.") if k[:5] == "head." else f"encoder.{k}": t for k, t in state.items()}


def error(got: Tensor, wanted: Tensor) -> float:
    """Greatest difference, relative to the greatest value."""
    return ((got - wanted).abs().max() / wanted.abs().max()).item()


@pytest.fixture(scope="module")
def theirs(jitter: Jitter) -> nn.Module:
    """For images of any size whose sides are multiples of the patch."""
    return jitter(timm.create_model(TINY, num_classes=7, dynamic_img_size=True)).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 3, 48, 80)


@pytest.mark.parametrize("patch", [16, 32])
@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_the_published_ones(name: str, patch: int) -> None:
    with torch.device("meta"):
        model = create_classifier(name, num_classes=1000, patch_size=patch)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name][patch // 32]


@pytest.mark.parametrize("size", [(224, 224), (48, 80), (16, 16), (336, 240)], ids=str)
def test_it_gives_what_timms_gives(size: Size, theirs: nn.Module) -> None:
    model = create_classifier("vit_ti", num_classes=7).eval()
    model.load_state_dict(from_timm(theirs))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        assert error(model(image), theirs(image)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "patch", "timms"),
    [
        ("vit_s", 32, "vit_small_patch32_224"),
        ("vit_b", 16, "vit_base_patch16_224"),
        ("vit_b", 32, "vit_base_patch32_224"),
    ],
)
def test_larger_ones_give_what_timms_give(name: str, patch: int, timms: str, jitter: Jitter) -> None:
    theirs = jitter(timm.create_model(timms, num_classes=7)).eval()
    model = create_classifier(name, num_classes=7, patch_size=patch).eval()
    model.load_state_dict(from_timm(theirs))
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert error(model(image), theirs(image)) < 1e-5


def test_pooling_by_the_mean_is_timms_with_the_norm_before_it(image: Tensor, jitter: Jitter) -> None:
    options = {"global_pool": "avg", "fc_norm": False, "dynamic_img_size": True}
    theirs = jitter(timm.create_model(TINY, num_classes=7, **options)).eval()
    model = create_classifier("vit_ti", num_classes=7, pool="mean").eval()
    model.load_state_dict(from_timm(theirs))
    with torch.no_grad():
        assert error(model(image), theirs(image)) < 1e-5


def test_positions_are_made_for_the_image_size(image: Tensor, jitter: Jitter) -> None:
    theirs = jitter(timm.create_model(TINY, num_classes=7, img_size=(48, 80))).eval()
    model = create_classifier("vit_ti", num_classes=7, image_size=(48, 80)).eval()
    model.load_state_dict(from_timm(theirs))
    with torch.no_grad():
        assert error(model(image), theirs(image)) < 1e-5
    assert create_encoder("vit_ti", image_size=100).get_parameter("pos_embed").shape[1] == 1 + 7 * 7


@pytest.mark.parametrize("new", [(3, 5), (14, 14), (7, 28), (33, 17), (1, 1)], ids=str)
@pytest.mark.parametrize("old", [(14, 14), (5, 9)], ids=str)
def test_positions_are_resampled_as_timms_are(old: Size, new: Size) -> None:
    positions = torch.randn(1, 1 + old[0] * old[1], 8)
    wanted = resample_abs_pos_embed(positions, list(new), list(old))
    torch.testing.assert_close(resize_positions(positions, old, new), wanted)


def test_half_precision_positions_stay_half_precision() -> None:
    positions = torch.randn(1, 10, 4).bfloat16()
    resized = resize_positions(positions, (3, 3), (5, 4))
    assert resized.dtype == torch.bfloat16
    torch.testing.assert_close(resized, resize_positions(positions.float(), (3, 3), (5, 4)).bfloat16())


def test_other_sizes_are_padded_with_zeros_below_and_on_the_right() -> None:
    model = create_classifier("vit_ti", num_classes=7).eval()
    padded = torch.zeros(1, 3, 48, 80)
    padded[..., :33, :70] = torch.randn(1, 3, 33, 70)
    with torch.no_grad():
        assert torch.equal(model(padded[..., :33, :70]), model(padded))


def test_the_last_map_of_the_encoder_is_timms(image: Tensor, theirs: nn.Module) -> None:
    encoder = create_encoder("vit_ti").eval()
    encoder.load_state_dict({k: t for k, t in theirs.state_dict().items() if k[:5] != "head."}, strict=False)
    with torch.no_grad():
        feature = encoder(image)[2]
        (wanted,) = theirs.get_intermediate_layers(image, n=1, reshape=True, norm=True)  # type: ignore[operator]
    assert error(feature, wanted) < 1e-5


@pytest.mark.parametrize(
    ("patch", "strides", "channels"),
    [
        (16, (4, 8, 16, 32), (48, 96, 192, 192)),
        (32, (8, 16, 32, 64), (48, 96, 192, 192)),
        (14, (7, 14, 28), (96, 192, 192)),
        (2, (1, 2, 4), (96, 192, 192)),
        (1, (1, 2), (192, 192)),
    ],
)
def test_the_pyramids_strides_are_whole(patch: int, strides: tuple[int, ...], channels: tuple[int, ...]) -> None:
    pyramid = FeaturePyramid(192, patch)
    assert (pyramid.strides, pyramid.channels) == (strides, channels)
    maps = pyramid(torch.randn(1, 192, 5, 7), (5 * patch, 7 * patch))
    assert [tuple(m.shape) for m in maps] == [
        (1, c, -(-5 * patch // s), -(-7 * patch // s)) for s, c in zip(strides, channels, strict=True)
    ]


def test_only_the_wanted_strides_are_built() -> None:
    wanted = create_encoder("vit_ti", strides=[8, 32]).eval()
    assert (wanted.strides, wanted.channels) == ((8, 32), (96, 192))
    assert [tuple(feature.shape[2:]) for feature in wanted(torch.randn(1, 3, 65, 97))] == [(9, 13), (3, 4)]
    assert {key.split(".")[1] for key in wanted.state_dict() if key.startswith("pyramid.")} == {"stride8"}


def test_a_stride_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"patches of 16 give no stride 2; accepted: \[4, 8, 16, 32\]"):
        create_encoder("vit_ti", strides=[2, 8])


def test_the_pyramids_levels_lie_over_each_other() -> None:
    pyramid, x = FeaturePyramid(8, 16), torch.zeros(1, 8, 6, 6)
    x[..., 2, 4] = 1
    for stride, moved, still in zip(pyramid.strides, pyramid(x, (90, 96)), pyramid(0 * x, (90, 96)), strict=True):
        rows, columns = (moved != still).any(1)[0].nonzero(as_tuple=True)
        assert (rows.min() * stride // 16, columns.max() * stride // 16) == (2, 4)
        assert len(rows) == max(1, 16 // stride) ** 2


def test_the_stage_slot_takes_the_map_without_the_class_token() -> None:
    seen = []

    class Seen(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            assert channels == 192

        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x

    plain, model = create_encoder("vit_ti").eval(), create_encoder("vit_ti", attention={"stage": Seen}).eval()
    model.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 40, 80)
    with torch.no_grad():
        torch.testing.assert_close(model(image), plain(image))
        torch.testing.assert_close(plain.get_submodule("norm")(seen[-1].movedim(1, 3)).movedim(3, 1), plain(image)[2])
    assert [tuple(x.shape) for x in seen] == [(1, 192, 3, 5)] * 4


@pytest.mark.parametrize(("pool", "blocks"), [("token", 3), ("mean", 4)])
def test_no_stage_block_sits_where_the_token_cannot_see_it(pool: str, blocks: int) -> None:
    with torch.device("meta"):
        model = create_classifier("vit_ti", num_classes=2, pool=pool, attention={"stage": "se"})  # type: ignore[arg-type]
    assert sum(name.endswith("fc1.weight") and "attention" in name for name, _ in model.named_parameters()) == blocks


def test_drop_path_grows_linearly_over_all_blocks() -> None:
    with torch.device("meta"):
        model = create_classifier("vit_ti", num_classes=2, drop_path=0.11)
    rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.01 * block for block in range(12)])


def test_weights_start_as_timms() -> None:
    model, theirs = create_classifier("vit_ti", num_classes=1000), timm.create_model(TINY)
    for (name, ours), wanted in zip(model.named_parameters(), theirs.parameters(), strict=True):
        assert ours.std(correction=0).item() == pytest.approx(wanted.std(correction=0).item(), rel=0.25), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "max"}, "no pool 'max'; accepted: token, mean"),
        ({"patch_size": 0}, "at least 1; not 224 and 0"),
        ({"image_size": [8, 8, 8]}, r"a height and a width.*not \[8, 8, 8\]"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unwrap(create_classifier)("vit_ti", num_classes=2, **options)  # past the type checks of the tests


def test_positions_as_waves_tell_all_places_apart() -> None:
    encoder = create_classifier("vit_ti", num_classes=3, patch_size=2, image_size=(8, 12), positions="waves").encoder
    places = encoder.pos_embed[0]
    assert not places[0].any()
    assert torch.cdist(places, places).fill_diagonal_(1).min() > 0.1
    row, column = places[1:].unflatten(0, (4, 6)).chunk(2, dim=2)
    torch.testing.assert_close(row, row[:, :1].expand_as(row))
    torch.testing.assert_close(column, column[:1].expand_as(column))
    assert encoder.pos_embed[0, 1 + 6, 0].item() == pytest.approx(math.sin(1))


def test_linear_layers_may_start_as_the_authors_have_them() -> None:
    published = create_classifier("vit_ti", num_classes=3, init="xavier").encoder
    assert published.blocks[0].mlp.fc1.weight.std().item() == pytest.approx(math.sqrt(2 / (192 + 768)), rel=0.02)
    assert create_classifier("vit_ti", num_classes=3).encoder.blocks[0].mlp.fc1.weight.std() < 0.021


def test_an_unknown_start_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="positions 'nowhere'; accepted: noise, waves"):
        unwrap(start_positions)((2, 2), 8, "nowhere")
    with pytest.raises(ConfigError, match="init 'nothing'; accepted: normal, xavier"):
        unwrap(start_linear)(nn.Linear(2, 2), "nothing")


@pytest.mark.parametrize("tokens", [5, 197, SHORT + 1])
def test_attention_of_few_tokens_is_that_of_many(tokens: int) -> None:
    given = [torch.randn(2, 3, tokens, 64, requires_grad=True) for _ in range(3)]
    weights = torch.randn(2, 3, tokens, 64)

    def outcome(attention: Callable[..., Tensor], dtype: torch.dtype) -> list[Tensor]:
        out = attention(*(tensor.to(dtype) for tensor in given))
        return [out, *torch.autograd.grad((out * weights).sum(), given)]

    exact = outcome(F.scaled_dot_product_attention, torch.float64)
    for one, wanted in zip(outcome(attend, torch.bfloat16), exact, strict=True):
        assert ((one - wanted).norm() / wanted.norm()).item() < 0.01


def test_attention_that_would_hold_too_much_goes_to_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, keys, values = (torch.randn(2, 3, 5, 8, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    wanted = F.scaled_dot_product_attention(queries, keys, values)
    monkeypatch.setattr("foveate.pipeline.models.vit.blocks.MOST", 2 * 3 * 5 * 5 - 1)
    assert torch.equal(attend(queries, keys, values), wanted)
    monkeypatch.setattr(F, "scaled_dot_product_attention", None)  # whoever calls it fails
    monkeypatch.setattr("foveate.pipeline.models.vit.blocks.MOST", 2 * 3 * 5 * 5)
    attend(queries, keys, values)
