"""Configs of mmseg 0.x say what those of 1.x say."""

from __future__ import annotations

from pathlib import Path

import yaml

from foveate.pipeline.mmseg.config_file import read_config
from foveate.pipeline.mmseg.modern import modernise
from foveate.pipeline.mmseg.recipe import convert
from foveate.tests.pipeline.mmseg.configs import SEGNEXT_T, write_configs

MODEL = (
    SEGNEXT_T.split("model = ", 1)[1].split("train_dataloader")[0].replace(" data_preprocessor=data_preprocessor,", "")
)
OLD = f"""
url = 'pretrained/mscan_t.pth'
ham_norm_cfg = dict(type='GN', num_groups=32, requires_grad=True)
norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = {MODEL}
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='Resize', img_scale=(2048, 512), ratio_range=(0.5, 2.0)),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75), dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'), dict(type='Normalize', **norm),
    dict(type='Pad', size=(512, 512), pad_val=0, seg_pad_val=255), dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_semantic_seg'])]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiScaleFlipAug', img_scale=(2048, 512), flip=False, transforms=[
        dict(type='AlignResize', keep_ratio=True, size_divisor=32), dict(type='RandomFlip'),
        dict(type='Normalize', **norm), dict(type='Collect', keys=['img'])])]
data = dict(
    samples_per_gpu=16, workers_per_gpu=4,
    train=dict(type='RepeatDataset', times=50, dataset=dict(type='ADE20KDataset', data_root='data/ade',
        img_dir='images/training', ann_dir='annotations/training', pipeline=train_pipeline)),
    val=dict(type='ADE20KDataset', pipeline=test_pipeline))
optimizer = dict(type='AdamW', lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01, paramwise_cfg=dict(custom_keys={{
    'pos_block': dict(decay_mult=0.), 'norm': dict(decay_mult=0.), 'head': dict(lr_mult=10.)}}))
optimizer_config = dict()
lr_config = dict(policy='poly', warmup='linear', warmup_iters=1500, warmup_ratio=1e-6, power=1.0, min_lr=0.0,
    by_epoch=False)
runner = dict(type='IterBasedRunner', max_iters=160000)
checkpoint_config = dict(by_epoch=False, interval=16000)
evaluation = dict(interval=16000, metric='mIoU')
log_config = dict(interval=50)
"""


def test_an_old_config_becomes_the_same_recipe(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(OLD)
    new = yaml.safe_load(convert(write_configs(tmp_path))[0])
    text, notes = convert(tmp_path / "old.py")
    old = yaml.safe_load(text)
    assert old["model"]["init_args"].pop("weights") == "pretrained/mscan_t.pth"  # a file of the user's
    assert new["model"]["init_args"].pop("weights") == "mscan_t"
    assert old == new
    assert [note.text[:13] for note in notes] == ["at evaluation"]


def test_mixed_precision_clipping_and_accumulation(tmp_path: Path) -> None:
    more = "optimizer_config = dict(type='GradientCumulativeFp16OptimizerHook', cumulative_iters=2,\n"
    (tmp_path / "old.py").write_text(OLD + more + "    grad_clip=dict(max_norm=1))")
    trainer = yaml.safe_load(convert(tmp_path / "old.py")[0])["trainer"]
    assert (trainer["precision"], trainer["accumulate_grad_batches"], trainer["gradient_clip_val"]) == (
        "16-mixed",
        2,
        1,
    )


def test_a_new_config_is_not_touched(tmp_path: Path) -> None:
    config = read_config(write_configs(tmp_path))
    assert modernise(config) is config
