"""Which images weights were trained on, and with which rank: as the file or its name tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.models import create_model
from foveate.pipeline.models.classifier import PooledHead
from foveate.pipeline.models.vit.create import TokenClassifier
from foveate.pipeline.models.vit.encoder import VisionTransformer
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.weights import load_initial_weights, load_weights
from foveate.pipeline.weights.factorisation import current_rank
from foveate.pipeline.weights.normalisation import CLIP, HALF, IMAGENET, Statistics

State = dict[str, Tensor]


def vit() -> nn.Module:
    encoder = VisionTransformer(
        channels=32, depth=1, heads=2, patch_size=8, image_size=(16, 16), stages=1, in_channels=3
    )
    return TokenClassifier(encoder, PooledHead(32, 5))


def timm_names() -> State:
    state = {name: value for name, value in vit().state_dict().items() if "pyramid" not in name}
    return {name.removeprefix("encoder.").replace("head.classifier", "head"): v for name, v in state.items()}


NAMED: list[tuple[str, Statistics]] = [
    ("deit_base_patch16_224-b5f2ef4d.pth", IMAGENET),
    ("dino_deitsmall16_pretrain.pth", IMAGENET),
    ("mae_pretrain_vit_base.pth", IMAGENET),
    ("vit_small_patch14_dinov2.lvd142m/model.pth", IMAGENET),
    ("vit_base_patch16_224.augreg_in21k_ft_in1k.pth", HALF),
    ("vit_base_patch16_clip_224.openai.pth", CLIP),
    ("vit_base_patch16_siglip_224.webli.pth", HALF),
]


@pytest.mark.parametrize(("name", "statistics"), NAMED, ids=[name for name, _ in NAMED])
def test_the_name_of_a_vit_tells(tmp_path: Path, name: str, statistics: Statistics) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    torch.save(timm_names(), tmp_path / name)
    report = load_weights(vit(), tmp_path / name)
    assert (report.statistics, report.unsure) == (statistics, "")


TOLD: dict[str, Callable[[State], object]] = {
    "distillation token": lambda s: {"model": {**s, "dist_token": torch.ones(1, 1, 32)}},
    "mask token": lambda s: {"model": {**s, "mask_token": torch.ones(1, 32)}},
    "registers": lambda s: {**s, "register_tokens": torch.ones(1, 4, 32)},
    "decoder of an autoencoder": lambda s: {**s, "decoder_blocks.0.norm1.weight": torch.ones(16)},
    "teacher and student": lambda s: {"student": s, "teacher": {f"backbone.{n}": v for n, v in s.items()}},
    "settings": lambda s: {"model": s, "args": {"model": "mae_vit_base_patch16"}},
}


@pytest.mark.parametrize("wrap", TOLD.values(), ids=TOLD)
def test_what_is_in_the_file_tells(tmp_path: Path, wrap: Callable[[State], object]) -> None:
    torch.save(wrap(timm_names()), tmp_path / "a.pth")
    report = load_weights(vit(), tmp_path / "a.pth")
    assert (report.statistics, report.unsure) == (IMAGENET, "")


def test_where_nothing_tells_it_is_said(tmp_path: Path) -> None:
    torch.save(timm_names(), tmp_path / "a.pth")
    report = load_weights(vit(), tmp_path / "a.pth")
    assert report.statistics == HALF
    assert "warning: neither the file nor its name says how its images are normalised: 0.5 is taken" in str(report)


@pytest.fixture(scope="module")
def segnext_b() -> State:
    return {n: v for n, v in create_model("segnext_b", num_classes=2).state_dict().items() if ".ham.bases" not in n}


def as_theirs(state: State, *, doubled: bool) -> State:
    names = {name: name.replace("encoder.", "backbone.").replace("decoder.", "decode_head.") for name in state}
    dwconv = "mlp.dwconv.dwconv" if doubled else "mlp.dwconv"
    return {names[name].replace("mlp.dwconv", dwconv): value for name, value in state.items()}


RANKS: dict[str, tuple[bool, dict[str, object], int]] = {
    "authors": (True, {}, 64),
    "authors, with a version": (True, {"meta": {"mmseg_version": "0.24.1"}}, 64),
    "mmseg by its names": (False, {}, 16),
    "mmseg by its version": (True, {"meta": {"mmseg_version": "1.2.2"}}, 16),
    "a configuration": (False, {"meta": {"cfg": "ham_kwargs=dict(MD_S=1, MD_R=32, train_steps=6)"}}, 32),
}


@pytest.mark.parametrize(("doubled", "beside", "rank"), RANKS.values(), ids=RANKS)
def test_a_decoder_is_loaded_with_the_rank_of_its_training(
    tmp_path: Path, segnext_b: State, doubled: bool, beside: dict[str, object], rank: int
) -> None:
    torch.save({"state_dict": as_theirs(segnext_b, doubled=doubled), **beside}, tmp_path / "a.pth")
    model = create_model("segnext_b", num_classes=2)
    report = load_initial_weights(model, tmp_path / "a.pth")
    assert current_rank(model) == rank
    assert ("rank of the factorisation: " in str(report)) == (rank != 64)


def test_a_rank_of_the_recipe_is_kept_and_the_difference_said(tmp_path: Path, segnext_b: State) -> None:
    torch.save({"state_dict": as_theirs(segnext_b, doubled=False)}, tmp_path / "a.pth")
    model = create_model("segnext_b", num_classes=2, rank=8)
    report = load_initial_weights(model, tmp_path / "a.pth", keep_rank=True)
    assert current_rank(model) == 8
    assert "trained with a factorisation of rank 16; the recipe asks for 8" in str(report)


def test_an_encoder_alone_changes_no_rank(tmp_path: Path, segnext_b: State) -> None:
    torch.save({"state_dict": as_theirs(segnext_b, doubled=False)}, tmp_path / "a.pth")
    model = create_model("segnext_b", num_classes=3)
    load_initial_weights(model, tmp_path / "a.pth")
    assert current_rank(model) == 64


def test_checkpoints_say_the_rank_that_weights_brought(tmp_path: Path, segnext_b: State) -> None:
    from foveate.datasets.labels import LabelSet

    torch.save({"state_dict": as_theirs(segnext_b, doubled=False)}, tmp_path / "a.pth")
    labels = LabelSet(name="two", names=("a", "b"), colours=((0, 0, 0), (1, 1, 1)), ids=(0, 1))
    task = SegmentationTask("segnext_b", labels=labels, weights=str(tmp_path / "a.pth"))
    task.load_initial_weights()
    assert task.hparams["network_options"] == {"rank": 16}
