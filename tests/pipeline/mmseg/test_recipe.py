"""Recipes from configs: what is carried over, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mmseg.recipe import convert
from foveate.pipeline.runs.recipes import find_recipe, read_recipe
from foveate.tests.pipeline.mmseg.configs import write_configs

ONLY_OURS = {"precision", "sync_batchnorm", "val_check_interval"}  # choices of our recipes, not of the config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_configs(tmp_path)
    return tmp_path


def recipe_of(folder: Path, text: str, base: str = "segnext_t") -> tuple[dict[str, Any], list[str]]:
    """The recipe for a config over another, and its notes."""
    (folder / "it.py").write_text(f"_base_ = '{base}.py'\n{text}")
    written, notes = convert(folder / "it.py")
    return yaml.safe_load(written), [note.text for note in notes]


def arguments(recipe: dict[str, Any]) -> dict[str, Any]:
    return recipe["model"]["init_args"]


@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_a_config_of_segnext_is_our_recipe(folder: Path, size: str) -> None:
    ours = read_recipe(find_recipe(f"ade20k_segnext_{size}"))
    text, notes = convert(folder / f"segnext_{size}.py")
    found = yaml.safe_load(text)
    assert arguments(found)["weights"] == f"mscan_{size}"
    options = arguments(found).pop("network_options", {})
    assert options == ({"rank": 16} if size in "bl" else {})  # mmseg's rank of every variant
    defaults = {"flip": 0.5, "photometric": True, "max_ratio": 0.75}  # of our data modules
    assert found["data"]["init_args"] == {"root": "data/ade", **ours["data"]["init_args"], **defaults}
    assert {**arguments(found), "weights": None} == arguments(ours)
    trainer = {key: value for key, value in found["trainer"].items() if key not in ONLY_OURS}
    assert trainer == {key: value for key, value in ours["trainer"].items() if key not in ONLY_OURS}
    assert [note.text[:26] for note in notes] == ["at evaluation mmseg draws "]


def test_notes_name_file_and_line(folder: Path) -> None:
    text, _ = convert(folder / "segnext_s.py")
    line = (
        (folder / "segnext_t.py")
        .read_text()
        .splitlines()
        .index(next(one for one in (folder / "segnext_t.py").read_text().splitlines() if "rand_init" in one))
    )
    assert f"# segnext_t.py:{line + 1}: at evaluation" in text.splitlines()[-1]


def test_line_breaks_in_a_config_do_not_leave_the_comments(folder: Path) -> None:
    text = "model = dict(pretrained='x\\nevil: 1', backbone=dict(init_cfg=None))\ncustom_hooks = ['a\\nevil: 2']"
    recipe, notes = recipe_of(folder, text)
    assert "evil" not in recipe
    assert any("evil: 2" in note for note in notes)


def test_what_nobody_knows_is_told(folder: Path) -> None:
    _, notes = recipe_of(
        folder, "custom_hooks = [dict(type='EMAHook', momentum=0.1)]\nauto_scale_lr = dict(enable=True)"
    )
    assert "custom_hooks = [{'type': 'EMAHook', 'momentum': 0.1}]" in notes
    assert "auto_scale_lr = {'enable': True}" in notes


def test_other_sizes_take_the_encoder_and_the_decoder_by_name(folder: Path) -> None:
    recipe, _ = recipe_of(folder, "model = dict(decode_head=dict(channels=128, dropout_ratio=0.2))")
    assert arguments(recipe)["network"] == "mscan_t+light_ham"
    assert arguments(recipe)["network_options"] == {"decoder": {"channels": 128, "dropout": 0.2, "rank": 16}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mode='slide', crop_size=(512, 512), stride=341", {"mode": "slide", "size": [512, 512], "stride": [341, 341]}),
        ("mode='whole'", {"mode": "whole"}),
    ],
)
def test_windows(folder: Path, text: str, found: dict[str, Any]) -> None:
    recipe, _ = recipe_of(folder, f"model = dict(test_cfg=dict({text}))")
    inference = arguments(recipe)["inference"]
    assert {key: inference[key] for key in found} == found
    assert (inference["short_side"], inference["long_side"]) == (512, 2048)


LOSSES = {
    "dict(type='CrossEntropyLoss', avg_non_ignore=True)": {"name": "cross_entropy", "average": "valid"},
    "dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])": {
        "name": "cross_entropy", "average": "valid", "class_weights": [1.0, 2.0],
    },
    "[dict(type='CrossEntropyLoss', loss_weight=1.0), dict(type='DiceLoss', loss_weight=3.0)]": [
        {"name": "cross_entropy", "average": "all_pixels", "weight": 1.0}, {"name": "dice", "weight": 3.0},
    ],
}  # fmt: skip


@pytest.mark.parametrize("text", LOSSES)
def test_losses(folder: Path, text: str) -> None:
    given = f"dict(_delete_=True, {text[5:]}" if text.startswith("dict") else text
    recipe, _ = recipe_of(folder, f"model = dict(decode_head=dict(loss_decode={given}))")
    assert arguments(recipe)["loss"] == LOSSES[text]


def test_hard_pixels(folder: Path) -> None:
    sampler = "dict(type='OHEMPixelSampler', thresh=0.7, min_kept=1000)"
    recipe, notes = recipe_of(folder, f"model = dict(decode_head=dict(sampler={sampler}))")
    assert arguments(recipe)["loss"] == {"name": "ohem", "threshold": 0.7, "min_kept": 1000}
    assert any("averaged over the kept pixels" in note for note in notes)


def test_the_trainer(folder: Path) -> None:
    text = "optim_wrapper = dict(type='AmpOptimWrapper', accumulative_counts=2, clip_grad=dict(max_norm=5))\n"
    recipe, _ = recipe_of(folder, text + "randomness = dict(seed=7)")
    assert recipe["seed_everything"] == 7
    assert recipe["trainer"]["precision"] == "16-mixed"
    assert (recipe["trainer"]["accumulate_grad_batches"], recipe["trainer"]["gradient_clip_val"]) == (2, 5)


def test_a_name_with_several_devices_keeps_their_batch(folder: Path) -> None:
    (folder / "x_4xb2-80k_y.py").write_text("_base_ = 'segnext_t.py'\ntrain_dataloader = dict(batch_size=2)")
    recipe = yaml.safe_load(convert(folder / "x_4xb2-80k_y.py")[0])
    assert (recipe["data"]["init_args"]["batch_size"], recipe["data"]["init_args"]["total_batch"]) == (2, 8)


DEEPLAB = """
model = dict(_delete_=True, type='EncoderDecoder', pretrained='mmcls://mobilenet_v2',
    backbone=dict(type='MobileNetV2', widen_factor=1., strides=(1, 2, 2, 1, 1, 1, 1), dilations=(1, 1, 1, 2, 2, 4, 4)),
    decode_head=dict(type='DepthwiseSeparableASPPHead', channels=512, dilations=(1, 12, 24, 36), c1_channels=48),
    auxiliary_head=dict(type='FCNHead', in_index=2))
"""


def test_close_networks_are_taken_and_the_difference_is_told(folder: Path) -> None:
    recipe, notes = recipe_of(folder, DEEPLAB)
    found = arguments(recipe)
    assert (found["network"], found["weights"]) == ("mobilenet_v2_100+smp:DeepLabV3Plus", "mobilenet_v2_100")
    assert found["network_options"]["encoder"] == {"output_stride": 8}
    assert any("close and not the same" in note for note in notes)
    assert any(note.startswith("auxiliary_head") for note in notes)


@pytest.mark.slow
def test_close_networks_can_be_built(folder: Path) -> None:
    from foveate.pipeline.models import create_model

    found = arguments(recipe_of(folder, DEEPLAB)[0])
    assert create_model(found["network"], num_classes=3, **found["network_options"]).encoder.strides[-1] == 8


def test_a_network_that_is_not_here_is_named_and_another_can_be_given(folder: Path, capsys: Any) -> None:
    (folder / "it.py").write_text("_base_ = 'segnext_t.py'\nmodel = dict(backbone=dict(_delete_=True, type='HRNet'))")
    with pytest.raises(ConfigError, match=r"no network here for HRNet with LightHamHead .*--network"):
        convert(folder / "it.py")
    assert main(["recipes", "from-mmseg", str(folder / "it.py"), "--network", "segnext_s"]) == 0
    assert "network: segnext_s" in capsys.readouterr().out


def test_heads_one_after_the_other_are_named(folder: Path) -> None:
    heads = "[dict(type='FCNHead', num_classes=19), dict(type='OCRHead', num_classes=19)]"
    body = f"model = dict(type='CascadeEncoderDecoder', backbone=dict(type='ResNet'), decode_head={heads})"
    with pytest.raises(
        ConfigError, match=r"for CascadeEncoderDecoder of ResNet with FCNHead, then OCRHead; .*--network"
    ):
        recipe_of(folder, body, base="schedule")


def test_an_encoder_of_another_name_is_told(folder: Path) -> None:
    body = (
        "model = dict(type='MultimodalEncoderDecoder', image_encoder={}, decode_head=dict(type='SideAdapterCLIPHead'))"
    )
    with pytest.raises(ConfigError, match="MultimodalEncoderDecoder of no backbone with SideAdapterCLIPHead"):
        recipe_of(folder, body, base="schedule")


def test_other_kernels_are_refused_with_their_line(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"it.py:2: mlp_ratios = \[4, 4, 4, 4\]: SegNeXt has"):
        recipe_of(folder, "model = dict(backbone=dict(mlp_ratios=[4, 4, 4, 4]))")


def test_a_config_without_a_model_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"gives no model\.backbone\.type"):
        convert(folder / "schedule.py")


def test_own_data_become_folders(folder: Path) -> None:
    dataset = "dict(type='BaseSegDataset', img_suffix='_sat.jpg', metainfo=dict(classes=['a', 'b']))"
    recipe, notes = recipe_of(folder, f"train_dataloader = dict(dataset={dataset})")
    assert recipe["data"]["class_path"] == "FolderDataModule"
    given = recipe["data"]["init_args"]
    assert (given["classes"], given["image_suffix"]) == (["a", "b"], "_sat")
    assert any("BaseSegDataset becomes FolderDataModule" in note for note in notes)


def test_the_command_writes_a_file_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["recipes", "from-mmseg", str(folder / "segnext_t.py"), "--out", str(folder / "mine.yaml")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 lines at its end" in said.err
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
