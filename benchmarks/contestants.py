"""Who takes part in the race: each a step on a batch of ours, and logits of an image, from one and the same recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from foveate.benchmarks.networks import create_task, give_weights
from foveate.benchmarks.peers import mmseg
from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import CAMVID
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer

CROP = (352, 480)
LR, DECAY = 1e-3, 0.01  # of the shipped recipe camvid_segnext_t: all parts alike, no decay of norms
RECIPE = OptimizerConfig(lr=LR, weight_decay=DECAY, decoder_lr_multiplier=1.0)


@dataclass(frozen=True)
class Contestant:
    """One who races.

    Attributes:
        network: What learns; its training mode is set from outside.
        groups: The optimiser's groups, whose rates are set before each step.
        step: Learns from a batch of bytes.
        infer: Logits (B, K, H, W) of RGB bytes (B, 3, H, W).
        bf16: Whether it runs under autocast.
    """

    network: nn.Module
    groups: list[dict[str, Any]]
    step: Callable[[SegmentationBatch], object]
    infer: Callable[[Tensor], Tensor]
    bf16: bool

    def set_rate(self, factor: float) -> None:
        """Of what the recipe says at the top."""
        for group in self.groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])


def create(name: str, seed: int) -> Contestant:
    """A contestant by name: one of NAMES. The two SegNeXts start from the same weights for the same seed."""
    torch.manual_seed(seed)
    return NAMES[name]()


def create_ours() -> Contestant:
    """Our SegNeXt-T under bf16 autocast, as the shipped recipe trains it."""
    peer = mmseg.create_segnext(len(CAMVID), size=CROP)
    seed = torch.initial_seed()
    task = create_task(CAMVID)
    give_weights(peer, task)
    torch.manual_seed(seed)
    optimizer = create_optimizer(task.network, RECIPE)

    def step(batch: SegmentationBatch) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.compute_loss(batch)
        learn(optimizer, loss)

    return Contestant(task, optimizer.param_groups, step, lambda image: task(image), True)


def create_mmseg(*, best: bool) -> Contestant:
    """mmseg's SegNeXt-T: as shipped in float32, or channels_last under bf16 autocast with a fused AdamW."""
    model = mmseg.create_segnext(len(CAMVID), size=CROP)
    if best:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    wrapper = mmseg.create_optimizer(model, bf16=best, lr=LR, weight_decay=DECAY, fused=best or None, head_lr=1.0)

    def step(batch: SegmentationBatch) -> None:
        model.train_step(mmseg.create_batch(batch["image"], batch["mask"]), wrapper)  # type: ignore[operator]

    def infer(image: Tensor) -> Tensor:
        data = model.data_preprocessor(mmseg.create_batch(image, image[:, 0]))  # type: ignore[operator]
        return mmseg.infer(model, data["inputs"])[..., : image.shape[2], : image.shape[3]]

    return Contestant(model, wrapper.param_groups, step, infer, best)


def create_smp() -> Contestant:
    """segmentation-models-pytorch's Unet on MobileNetV2 at its best: channels_last, bf16 autocast, fused AdamW."""
    import segmentation_models_pytorch as smp

    normalise = create_task(CAMVID).normalise
    network = smp.Unet("mobilenet_v2", encoder_weights=None, classes=len(CAMVID))
    network.to(memory_format=torch.channels_last)
    optimizer = create_optimizer(network, RECIPE)

    def step(batch: SegmentationBatch) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(normalise(batch["image"]))
            loss = F.cross_entropy(logits, batch["mask"].long(), ignore_index=255, reduction="sum")
        learn(optimizer, loss / batch["mask"].numel())

    def infer(image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        padded = F.pad(normalise(image), (0, -width % 32, 0, -height % 32))
        logits: Tensor = network(padded)[..., :height, :width]
        return logits

    return Contestant(network, optimizer.param_groups, step, infer, True)


def learn(optimizer: Optimizer, loss: Tensor) -> None:
    """Backward and update."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


NAMES: dict[str, Callable[[], Contestant]] = {
    "ours": create_ours,
    "mmseg-shipped": lambda: create_mmseg(best=False),
    "mmseg-best": lambda: create_mmseg(best=True),
    "smp-unet": create_smp,
}


def names() -> Iterable[str]:
    """Of all contestants."""
    return NAMES
