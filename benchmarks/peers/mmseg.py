"""mmsegmentation 1.2.2 on current libraries: SegNeXt-T, its training step, its pipeline and its metric.

All that the old library needs to run today is here; nothing of what is timed is changed. Its compiled operators, which
SegNeXt never calls, are replaced by names that fail when called.
"""

from __future__ import annotations

import functools
import io
import pkgutil
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SEGNEXT_T = "segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py"
CITYSCAPES = "_base_/datasets/cityscapes_1024x1024.py"


class Operators(types.ModuleType):
    """Stands for `mmcv._ext`: every operator is there, and says so when it is called."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: object, **__: object) -> object:
            raise NotImplementedError(f"mmcv's operator {name} is not compiled here; SegNeXt does not need it")

        return missing


@functools.cache
def prepared() -> Any:
    """The library, imported and registered.

    Raises:
        ImportError: It is not installed (see peers.txt).
    """
    operators = Operators("mmcv._ext")
    operators.__spec__ = ModuleSpec("mmcv._ext", None)  # no loader: mmengine then takes it for not compiled
    sys.modules.setdefault("mmcv._ext", operators)
    pkgutil.__dict__.setdefault("find_loader", lambda name: None)  # gone in Python 3.14; mmengine looks for mmcv._ext
    import mmseg
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    MMLogger.get_instance("mmengine", log_level="ERROR")  # else a paragraph for each tensor that is initialised
    init_default_scope("mmseg")
    import mmseg.datasets
    import mmseg.engine
    import mmseg.models
    import mmseg.structures

    return mmseg


@contextmanager
def quietly() -> Iterator[None]:
    """Without its prints, and without its warnings of what it itself will change."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_config(name: str) -> Any:
    """A configuration that the wheel ships."""
    from mmengine.config import Config

    return Config.fromfile(Path(prepared().__file__).parent / ".mim/configs" / name)


def create_segnext(num_classes: int, *, size: tuple[int, int] | None = None) -> nn.Module:
    """SegNeXt-T as the library ships it, from scratch.

    Args:
        num_classes: Channels of the logits.
        size: Height and width that training batches are padded to; those of the shipped configuration if not given.
    """
    config = read_config(SEGNEXT_T).model
    from mmseg.registry import MODELS

    config.backbone.init_cfg = None  # weights from its server
    config.decode_head.num_classes = num_classes
    if size is not None:
        config.data_preprocessor.size = size
    with quietly():
        model: nn.Module = MODELS.build(config)
        model.init_weights()  # type: ignore[operator]
    return model


def create_optimizer(model: nn.Module, *, bf16: bool, head_lr: float | None = None, **options: Any) -> Any:
    """The optimiser of the shipped configuration, in its wrapper.

    Args:
        model: What is trained.
        bf16: Whether the step runs under autocast.
        head_lr: Learning rate of the decoder as a multiple; the shipped 10 if not given.
        options: Other settings of AdamW, such as `lr` and `fused`.
    """
    config = read_config(SEGNEXT_T).optim_wrapper
    from mmengine.optim import build_optim_wrapper

    config.optimizer.update(options)
    if head_lr is not None:
        config.paramwise_cfg.custom_keys["head"].lr_mult = head_lr
    with quietly():
        wrapper = build_optim_wrapper(model, config)
    return Autocast(wrapper, next(model.parameters()).device.type) if bf16 else wrapper


class Autocast:
    """The plain wrapper under bf16 autocast; the library's own wants CUDA, and scales gradients without need."""

    def __init__(self, wrapper: Any, device: str) -> None:
        self.wrapper = wrapper
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapper, name)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with self.wrapper.optim_context(model), torch.autocast(self.device, torch.bfloat16):
            yield


def create_batch(image: Tensor, mask: Tensor) -> dict[str, list[Any]]:
    """A batch as its loader gives it: BGR bytes and samples.

    Args:
        image: RGB bytes (B, 3, H, W).
        mask: Labels (B, H, W).
    """
    structures = prepared().structures
    from mmengine.structures import PixelData

    samples = []
    for label in mask:
        size = tuple(label.shape)
        meta = {"ori_shape": size, "img_shape": size, "pad_shape": size}
        samples.append(structures.SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=label[None].long())))
    return {"inputs": list(image.flip(1).contiguous()), "data_samples": samples}


def infer(model: nn.Module, image: Tensor) -> Tensor:
    """Logits at the image's size, of an image that is normalised."""
    size = tuple(image.shape[2:])
    meta = {"ori_shape": size, "img_shape": size, "pad_shape": size}
    logits: Tensor = model.encode_decode(image, [meta] * len(image))  # type: ignore[operator]
    return logits


@contextmanager
def fixed_bases(model: nn.Module, bases: Tensor) -> Iterator[None]:
    """The factorisation starts from these (1, D, R), and not from random ones, so that outputs can be compared."""
    ham: Any = model.decode_head.hamburger.ham  # type: ignore[union-attr]
    ham._build_bases = lambda batch, *_, **__: bases.repeat(batch, 1, 1)
    try:
        yield
    finally:
        del ham._build_bases


def create_pipeline(crop: tuple[int, int]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The shipped training pipeline of Cityscapes, with this crop (height, width)."""
    from mmengine.dataset import Compose

    steps = read_config(CITYSCAPES).train_pipeline
    for step in steps:
        if step.type == "RandomCrop":
            step.crop_size = crop
    return Compose(steps)  # type: ignore[no-any-return]


def sample_of(image: Path, label: Path) -> dict[str, Any]:
    """What its data set hands to the pipeline."""
    return {"img_path": str(image), "seg_map_path": str(label), "reduce_zero_label": False, "seg_fields": [],
            "label_map": None}  # fmt: skip


def count(prediction: Tensor, mask: Tensor, num_classes: int, ignore: int) -> tuple[Tensor, ...]:
    """Its metric's counts of one image: intersection, union, predicted and labelled pixels of each class."""
    counted: tuple[Tensor, ...] = metric().intersect_and_union(prediction, mask, num_classes, ignore)
    return counted


@functools.cache
def metric() -> Any:
    """Its metric's class."""
    prepared()
    from mmseg.evaluation.metrics import IoUMetric

    return IoUMetric


def seeded(seed: int) -> None:
    """Its transforms draw from numpy's generator."""
    np.random.seed(seed)  # noqa: NPY002
