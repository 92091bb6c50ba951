"""Small configs in the words of mmseg 1.x, with the values of its SegNeXt configs for ADE20K."""

from __future__ import annotations

from pathlib import Path

SCHEDULE = """
optimizer = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005)
optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer, clip_grad=None)
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=80000, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=8000)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=8000))
"""
DATA = """
dataset_type = 'ADE20KDataset'
data_root = 'data/ade/'
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='PackSegInputs')]
train_dataloader = dict(batch_size=4, num_workers=4, dataset=dict(
    type=dataset_type, data_root=data_root,
    data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'), pipeline=train_pipeline))
val_dataloader = dict(batch_size=1, dataset=dict(type=dataset_type, pipeline=test_pipeline))
"""
SEGNEXT_T = """
_base_ = ['schedule.py', 'data.py']
url = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext/mscan_t_20230227-119e8c9f.pth'
ham_norm_cfg = dict(type='GN', num_groups=32, requires_grad=True)
data_preprocessor = dict(
    type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
    pad_val=0, seg_pad_val=255, size=(512, 512), test_cfg=dict(size_divisor=32))
model = dict(
    type='EncoderDecoder', data_preprocessor=data_preprocessor,
    backbone=dict(
        type='MSCAN', init_cfg=dict(type='Pretrained', checkpoint=url), embed_dims=[32, 64, 160, 256],
        mlp_ratios=[8, 8, 4, 4], drop_rate=0.0, drop_path_rate=0.1, depths=[3, 3, 5, 2],
        attention_kernel_sizes=[5, [1, 7], [1, 11], [1, 21]],
        attention_kernel_paddings=[2, [0, 3], [0, 5], [0, 10]], act_cfg=dict(type='GELU'),
        norm_cfg=dict(type='BN', requires_grad=True)),
    decode_head=dict(
        type='LightHamHead', in_channels=[64, 160, 256], in_index=[1, 2, 3], channels=256, ham_channels=256,
        dropout_ratio=0.1, num_classes=150, norm_cfg=ham_norm_cfg, align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        ham_kwargs=dict(MD_S=1, MD_R=16, train_steps=6, eval_steps=7, inv_t=100, rand_init=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
train_dataloader = dict(batch_size=16)
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={
        'pos_block': dict(decay_mult=0.), 'norm': dict(decay_mult=0.), 'head': dict(lr_mult=10.)}))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, begin=1500, end=160000, eta_min=0.0, by_epoch=False)]
train_cfg = dict(max_iters=160000, val_interval=16000)
"""
SIZES = {  # of the other variants: embed_dims, depths, in_channels, channels, drop path, digits of the weights
    "s": ([64, 128, 320, 512], [2, 2, 4, 2], 256, 0.1, "f33ccdf2"),
    "b": ([64, 128, 320, 512], [3, 3, 12, 3], 512, 0.1, "3ab7d230"),
    "l": ([64, 128, 320, 512], [3, 5, 27, 3], 1024, 0.3, "cef260d4"),
}
# One step on images of 64 x 64 without anything random, but for the order of the images.
FIRST_STEP = """
_base_ = 'segnext_t.py'
model = dict(backbone=dict(drop_path_rate=0.0), decode_head=dict(dropout_ratio=0.0),
    data_preprocessor=dict(size=(64, 64)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='RandomResize', scale=(64, 64), ratio_range=(1.0, 1.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(64, 64)),
    dict(type='PackSegInputs')]
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
param_scheduler = [dict(type='PolyLR', power=1.0, begin=0, end=1, by_epoch=False)]
train_cfg = dict(max_iters=1, val_interval=1)
"""


def write_configs(folder: Path) -> Path:
    """The configs of all variants, in a folder; SegNeXt-T's is returned.

    Args:
        folder: An existing folder.
    """
    texts = {"schedule": SCHEDULE, "data": DATA, "segnext_t": SEGNEXT_T, "first_step": FIRST_STEP}
    for size, (widths, depths, channels, drop_path, digits) in SIZES.items():
        address = (
            f"https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext/mscan_{size}_20230227-{digits}.pth"
        )
        texts[f"first_step_{size}"] = FIRST_STEP.replace("segnext_t", f"segnext_{size}")
        texts[f"segnext_{size}"] = (
            "_base_ = './segnext_t.py'\n"
            f"model = dict(backbone=dict(embed_dims={widths}, depths={depths}, drop_path_rate={drop_path},\n"
            f"    init_cfg=dict(checkpoint={address!r})),\n"
            f"    decode_head=dict(in_channels={widths[1:]}, channels={channels}, ham_channels={channels}))\n"
        )
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "segnext_t.py"
