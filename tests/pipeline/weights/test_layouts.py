"""Names of others in ours and back, on complete networks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
import timm
import torch
import torchvision

from foveate.pipeline.models import conv_attention, create_model, mobilenet_v2, vit
from foveate.pipeline.weights.layouts import known as layouts
from foveate.pipeline.weights.layouts.known import LAYOUTS
from foveate.pipeline.weights.layouts.layout import Layout
from foveate.pipeline.weights.recognition import is_optional, recognise

Names = list[str]


def names(module: torch.nn.Module) -> Names:
    return list(module.state_dict())


def published(name: str) -> str:
    """An official name of MSCAN, VAN or SegNeXt, by hand from ours."""
    name = re.sub(r"\.mlp\.dwconv\.", ".mlp.dwconv.dwconv.", name)
    return re.sub(r"^encoder\.", "", name).replace("head.classifier.", "head.")


def in_segmenter(name: str, *, doubled: bool) -> str:
    name = re.sub(r"\.mlp\.dwconv\.", ".mlp.dwconv.dwconv." if doubled else ".mlp.dwconv.", name)
    return re.sub(r"^decoder\.", "decode_head.", re.sub(r"^encoder\.", "backbone.", name))


@cache
def ours(network: str) -> Names:
    return [name for name in names(create_model(network, num_classes=5)) if not name.endswith(".ham.bases")]


@cache
def classifier(family: object, name: str) -> Names:
    return names(family.create_classifier(name, num_classes=5))  # type: ignore[attr-defined]


# Layout, the names of a published network by its own hand, and ours.
COMPLETE: dict[str, tuple[Layout, Callable[[], tuple[Names, Names]]]] = {
    "SegNeXt": (
        layouts.SEGNEXT,
        lambda: ([in_segmenter(n, doubled=True) for n in ours("segnext_t")], ours("segnext_t")),
    ),
    "mmseg": (layouts.MMSEG, lambda: ([in_segmenter(n, doubled=False) for n in ours("segnext_t")], ours("segnext_t"))),
    "MSCAN": (
        layouts.MSCAN,
        lambda: ([published(n) for n in classifier(conv_attention, "mscan_t")], classifier(conv_attention, "mscan_t")),
    ),
    "VAN": (
        layouts.VAN,
        lambda: ([published(n) for n in classifier(conv_attention, "van_b0")], classifier(conv_attention, "van_b0")),
    ),
    "torchvision MobileNetV2": (
        layouts.TORCHVISION_MOBILENET,
        lambda: (names(torchvision.models.mobilenet_v2()), classifier(mobilenet_v2, "mobilenet_v2_100")),
    ),
    "timm MobileNetV2": (
        layouts.TIMM_MOBILENET,
        lambda: (names(timm.create_model("mobilenetv2_100")), classifier(mobilenet_v2, "mobilenet_v2_100")),
    ),
    "timm ViT": (
        layouts.TIMM_VIT,
        lambda: (names(timm.create_model("vit_tiny_patch16_224")), classifier(vit, "vit_ti")),
    ),
    "torchvision ViT": (
        layouts.TORCHVISION_VIT,
        lambda: (
            names(torchvision.models.VisionTransformer(32, 16, 12, 2, 32, 64)),
            classifier(vit, "vit_ti"),
        ),
    ),
}


@pytest.mark.parametrize(("layout", "both"), COMPLETE.values(), ids=COMPLETE)
def test_every_name_of_a_network_goes_both_ways(layout: Layout, both: Callable[[], tuple[Names, Names]]) -> None:
    theirs, wanted = both()
    assert {layout.to_ours(name) for name in theirs} == set(wanted)
    assert {layout.from_ours(name) for name in wanted} == set(theirs)
    assert all(layout.from_ours(layout.to_ours(name) or "") == name for name in theirs)


@pytest.mark.parametrize(("layout", "both"), COMPLETE.values(), ids=COMPLETE)
@pytest.mark.parametrize("wrapper", ["", "module.model."])
def test_a_network_is_recognised_behind_wrappers(
    layout: Layout, both: Callable[[], tuple[Names, Names]], wrapper: str
) -> None:
    theirs, wanted = both()
    match = recognise([wrapper + name for name in theirs], wanted)
    assert (match.layout.name, match.unknown) == (layout.name, ())
    assert set(match.names) == set(wanted)


def test_compiled_networks_keep_their_names() -> None:
    match = recognise(["_orig_mod.encoder._orig_mod.conv.weight"], ["encoder.conv.weight"])
    assert list(match.names) == ["encoder.conv.weight"]


def test_a_name_that_would_come_back_as_another_is_not_known() -> None:
    assert layouts.SEGNEXT.to_ours("backbone.block1.0.mlp.dwconv.weight") is None  # mmseg's


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_no_layout_takes_a_name_of_nothing(layout: Layout) -> None:
    assert layout.to_ours("") is None


def test_a_file_of_two_models_is_read_by_the_wrapper_of_most() -> None:
    found = ["model.block1.0.norm1.weight", "model.norm1.weight", "criterion.weight"]
    match = recognise(found, ["encoder.block1.0.norm1.weight", "encoder.norm1.weight"])
    assert match.names == {"encoder.block1.0.norm1.weight": found[0], "encoder.norm1.weight": found[1]}
    assert match.unknown == ("criterion.weight",)


@pytest.mark.parametrize(
    ("name", "optional"),
    [("encoder.a.num_batches_tracked", True), ("decoder.hamburger.ham.bases", True), ("encoder.a.running_var", False)],
)
def test_what_may_be_absent(name: str, optional: bool) -> None:
    assert is_optional(name) is optional
