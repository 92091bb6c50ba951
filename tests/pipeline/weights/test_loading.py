"""Weights into models: the numbers of the report, and equal answers to those of the published implementation."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from foveate.pipeline.models import conv_attention, create_model, mobilenet_v2
from foveate.pipeline.models.classifier import PooledHead
from foveate.pipeline.models.vit.create import TokenClassifier
from foveate.pipeline.models.vit.encoder import VisionTransformer
from foveate.pipeline.weights import WeightReport, load_initial_weights, load_weights
from foveate.plugins.blocks import SlotSpec

Jitter = Callable[[nn.Module], nn.Module]
Counts = tuple[str, int, int, int, int]  # part, loaded, adapted, missing, unused


def counts(report: WeightReport) -> list[Counts]:
    return [(p.part, len(p.loaded), len(p.adapted), len(p.missing), len(p.unused)) for p in report.parts]


def same_answers(a: nn.Module, b: nn.Module, image: Tensor) -> bool:
    with torch.no_grad():
        return torch.allclose(a.eval()(image), b.eval()(image), atol=1e-5)


def small_vit(*, num_classes: int = 5, side: int = 32, patch: int = 8, in_channels: int = 3) -> TokenClassifier:
    encoder = VisionTransformer(
        channels=32,
        depth=2,
        heads=2,
        patch_size=patch,
        image_size=(side, side),
        stages=3,
        in_channels=in_channels,
    )
    return TokenClassifier(encoder, PooledHead(32, num_classes))


def timm_vit() -> nn.Module:
    sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    vit: nn.Module = timm.models.VisionTransformer(img_size=32, patch_size=8, num_classes=5, **sizes)
    return vit


@pytest.fixture(scope="module")
def mobilenet_file(tmp_path_factory: pytest.TempPathFactory, jitter: Jitter) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet.pth"
    torch.save(jitter(torchvision.models.mobilenet_v2()).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("theirs", "layout", "mine"),
    [
        (torchvision.models.mobilenet_v2, "torchvision MobileNetV2", ("mobilenet_v2_100", 255, 7)),
        (lambda: timm.create_model("mobilenetv2_050"), "timm MobileNetV2", ("mobilenet_v2_050", 255, 7)),
    ],
    ids=["torchvision", "timm"],
)
def test_mobilenets_of_others_answer_alike(
    tmp_path: Path, jitter: Jitter, theirs: Callable[[], nn.Module], layout: str, mine: tuple[str, int, int]
) -> None:
    published = jitter(theirs())
    torch.save({"state_dict": published.state_dict()}, tmp_path / "weights.pth")
    model = mobilenet_v2.create_classifier(mine[0], num_classes=1000)
    report = load_weights(model, tmp_path / "weights.pth")
    assert counts(report) == [("encoder", mine[1], 0, 0, 0), ("head", mine[2], 0, 0, 0)]
    assert (report.layout, report.coverage, report.aside) == (layout, 1, ())
    assert same_answers(model, published, torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("theirs", "layout"),
    [
        (timm_vit, "timm ViT"),
        (lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 128, num_classes=5), "torchvision ViT"),
    ],
    ids=["timm", "torchvision"],
)
def test_vits_of_others_answer_alike(
    tmp_path: Path, jitter: Jitter, theirs: Callable[[], nn.Module], layout: str
) -> None:
    published = jitter(theirs())
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    model = small_vit()
    report = load_weights(model, tmp_path / "weights.pth")
    assert counts(report) == [("encoder", 4 + 2 * 12 + 2, 0, 0, 0), ("head", 2, 0, 0, 0)]
    assert report.layout == layout
    assert same_answers(model, published, torch.rand(1, 3, 32, 32))


OFFICIAL = {"official MSCAN": (conv_attention, "mscan_t", 506), "official VAN": (conv_attention, "van_b0", 370)}


@pytest.mark.parametrize(("layout", "made"), OFFICIAL.items(), ids=OFFICIAL)
def test_official_classifiers(tmp_path: Path, layout: str, made: tuple[object, str, int]) -> None:
    family, name, tensors = made
    given = family.create_classifier(name, num_classes=5)  # type: ignore[attr-defined]
    state = {re.sub(r"^encoder\.", "", key): value for key, value in given.state_dict().items()}
    state = {re.sub(r"mlp\.dwconv", "mlp.dwconv.dwconv", key): value for key, value in state.items()}
    state = {key.replace("head.classifier", "head"): value for key, value in state.items()}
    torch.save({"state_dict": state}, tmp_path / "weights.pth")
    model = family.create_classifier(name, num_classes=5)  # type: ignore[attr-defined]
    report = load_weights(model, tmp_path / "weights.pth")
    assert counts(report) == [("encoder", tensors, 0, 0, 0), ("head", 2, 0, 0, 0)]
    assert report.layout == layout
    assert all(torch.equal(model.state_dict()[key], value) for key, value in given.state_dict().items())


@pytest.mark.parametrize(
    ("layout", "dwconv"),
    [("official SegNeXt", "mlp.dwconv.dwconv"), ("mmseg", "mlp.dwconv")],
    ids=["official", "mmseg"],
)
@pytest.mark.parametrize("num_classes", [3, 4])
def test_segmenters_of_others(tmp_path: Path, layout: str, dwconv: str, num_classes: int) -> None:
    given = create_model("segnext_t", num_classes=3).state_dict()
    names = {key: key.replace("encoder.", "backbone.").replace("decoder.", "decode_head.") for key in given}
    state = {names[key].replace("mlp.dwconv", dwconv): v for key, v in given.items() if "bases" not in key}
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "weights.pth")
    report = load_weights(create_model("segnext_t", num_classes=num_classes), tmp_path / "weights.pth")
    dropped = 0 if num_classes == 3 else 2
    assert counts(report) == [("encoder", 506, 0, 0, 0), ("decoder", 13 - dropped, 0, dropped, dropped)]
    assert (report.layout, len(report.parts[1].dropped)) == (layout, dropped)


def test_the_published_mobilenet_is_read(shared: Path) -> None:
    file = shared / "weights" / "mobilenet_v2_1.0_224_imagenet.safetensors"
    report = load_weights(mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=1000), file)
    assert counts(report) == [("encoder", 255, 0, 0, 0), ("head", 7, 0, 0, 0)]
    assert report.statistics == ((127.5,) * 3, (127.5,) * 3)


def test_a_library_s_encoder_takes_the_library_s_names(tmp_path: Path) -> None:
    published = timm.create_model("test_convnext")
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    classifier = create_model_of_timm("create_classifier", num_classes=published.num_classes)
    report = load_weights(classifier, tmp_path / "weights.pth")
    assert (report.missing, report.unused) == ([], [])
    assert same_answers(classifier, published, torch.rand(1, 3, 96, 96))
    report = load_weights(create_model_of_timm("create_encoder"), tmp_path / "weights.pth")
    assert (report.missing, report.coverage) == ([], 1)


def create_model_of_timm(function: str, **options: int) -> nn.Module:
    from foveate.pipeline.models import timm as adapter

    module: nn.Module = getattr(adapter, function)("timm:test_convnext", **options)
    return module


def test_a_head_of_another_class_count_is_dropped_and_named(mobilenet_file: Path) -> None:
    model = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=10)
    before = model.head.classifier.weight.clone()
    report = load_weights(model, mobilenet_file)
    assert counts(report)[1] == ("head", 5, 0, 2, 2)
    assert report.parts[1].dropped == ("head.classifier.weight", "head.classifier.bias")
    assert report.parts[1].unused == ("classifier.1.weight", "classifier.1.bias")
    assert torch.equal(model.head.classifier.weight, before)


def test_an_encoder_alone_leaves_the_head_as_it_was(mobilenet_file: Path) -> None:
    model = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=1000)
    before = model.head.conv[0].weight.clone()
    report = load_weights(model, mobilenet_file, part="encoder")
    assert counts(report) == [("encoder", 255, 0, 0, 0)]
    assert "features.18.0.weight" in report.aside
    assert torch.equal(model.head.conv[0].weight, before)


def test_a_head_alone_leaves_the_encoder_as_it_was(mobilenet_file: Path) -> None:
    model = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=1000)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    assert counts(load_weights(model, mobilenet_file, part="head")) == [("head", 7, 0, 0, 0)]
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items())


def test_grey_images_sum_the_first_convolution(mobilenet_file: Path) -> None:
    model = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=1000, in_channels=1)
    report = load_weights(model, mobilenet_file)
    assert report.adapted == ["encoder.features.0.0.weight (3 -> 1 channels)"]
    rgb = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=1000)
    load_weights(rgb, mobilenet_file)
    grey = torch.rand(1, 1, 64, 64)
    assert torch.allclose(model.eval()(grey), rgb.eval()(grey.expand(1, 3, 64, 64)), atol=1e-4)


def test_positions_and_patches_of_a_vit_are_resampled(tmp_path: Path) -> None:
    torch.save(timm_vit().state_dict(), tmp_path / "weights.pth")
    report = load_weights(small_vit(side=48, patch=4), tmp_path / "weights.pth")
    assert report.adapted == [
        "encoder.pos_embed (4 x 4 -> 12 x 12 positions)",
        "encoder.patch_embed.proj.weight (8 -> 4 pixels a patch)",
    ]


@pytest.mark.parametrize(
    ("attention", "added"), [({"gate": "se"}, 52), ({"stage": "simam"}, 0), ({"stage": "se"}, 16)], ids=str
)
def test_layers_of_the_model_s_own_are_listed_and_do_not_count(
    tmp_path: Path, attention: dict[str, SlotSpec], added: int
) -> None:
    torch.save(conv_attention.create_encoder("mscan_t").state_dict(), tmp_path / "weights.pth")
    model = conv_attention.create_encoder("mscan_t", attention=attention)
    with pytest.warns(UserWarning, match=f"{added} tensors keep random initial values") if added else nullcontext():
        report = load_weights(model, tmp_path / "weights.pth")
    assert (report.parts[0].added, len(report.missing), report.coverage) == (added, added, 1)


def test_counts_of_batches_may_be_absent(tmp_path: Path) -> None:
    state = mobilenet_v2.create_encoder("mobilenet_v2_035").state_dict()
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "weights.pth")
    report = load_weights(mobilenet_v2.create_encoder("mobilenet_v2_035"), tmp_path / "weights.pth")
    assert (len(report.loaded), report.missing, report.coverage) == (255, [], 1)


@pytest.mark.parametrize(("num_classes", "parts"), [(3, ["encoder", "decoder"]), (4, ["encoder"])])
def test_a_training_takes_the_decoder_of_a_whole_segmenter_of_its_classes(
    tmp_path: Path, num_classes: int, parts: list[str]
) -> None:
    given = create_model("segnext_t", num_classes=3)
    checkpoint = {f"network.{name}": value for name, value in given.state_dict().items()}
    torch.save({"state_dict": {**checkpoint, "normalise.mean": torch.ones(3)}}, tmp_path / "last.ckpt")
    report = load_initial_weights(create_model("segnext_t", num_classes=num_classes), tmp_path / "last.ckpt")
    assert ([part.part for part in report.parts], report.layout) == (parts, "foveate")


def test_a_training_of_a_classifier_takes_what_fits_of_the_head(mobilenet_file: Path) -> None:
    model = mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=10)
    assert counts(load_initial_weights(model, mobilenet_file))[1] == ("head", 5, 0, 2, 2)


def test_a_classifier_s_file_starts_a_segmenter_s_encoder(tmp_path: Path) -> None:
    torch.save(conv_attention.create_classifier("mscan_t", num_classes=9).state_dict(), tmp_path / "weights.pth")
    report = load_initial_weights(create_model("segnext_t", num_classes=3), tmp_path / "weights.pth")
    assert counts(report) == [("encoder", 506, 0, 0, 0)]
    assert report.aside == ("head.classifier.weight", "head.classifier.bias")


def test_a_report_prints_a_line_for_each_part(tmp_path: Path, mobilenet_file: Path) -> None:
    report = load_weights(mobilenet_v2.create_classifier("mobilenet_v2_100", num_classes=10), mobilenet_file)
    assert str(report).splitlines()[1:] == [
        "  encoder 100.0%: 255 loaded, 0 adapted, 0 missing, 0 unused",
        "  head     97.0%: 5 loaded, 0 adapted, 2 missing, 2 unused; of another number of classes: "
        "head.classifier.weight, head.classifier.bias",
        "  images: mean 123.675 116.28 103.53, standard deviation 58.395 57.12 57.375",
    ]


def test_half_precision_in_a_file_becomes_the_model_s(tmp_path: Path) -> None:
    given = mobilenet_v2.create_encoder("mobilenet_v2_035")
    state = {name: value.half() if value.ndim == 4 else value for name, value in given.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    model = mobilenet_v2.create_encoder("mobilenet_v2_035")
    load_weights(model, tmp_path / "weights.safetensors")
    first = next(iter(model.state_dict().values()))
    assert first.dtype == torch.float32
    assert torch.equal(first, next(iter(state.values())).float())
