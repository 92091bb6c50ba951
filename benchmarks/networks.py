"""SegNeXt-T twice, mmseg's and ours, with the same weights, and a look whether they are the same function."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foveate.benchmarks.peers import mmseg
from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import CITYSCAPES, LabelSet
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.weights import load_weights

CLOSE = 2e-3  # of the largest logit, in float32; the sums of two libraries run in different orders


def create_task(labels: LabelSet = CITYSCAPES, *, device: str = "cpu") -> SegmentationTask:
    """Ours, from scratch, ready to train; the loss is averaged over all pixels, as the official recipe does."""
    torch.manual_seed(0)
    loss = {"name": "cross_entropy", "average": "all_pixels"}
    return SegmentationTask(network="segnext_t", labels=labels, loss=loss).to(device).train()


def create_peer(task: SegmentationTask, size: tuple[int, int]) -> nn.Module:
    """mmseg's with classes and weights of ours, on the same device, ready to train."""
    peer = mmseg.create_segnext(len(task.labels), size=size)
    randomise(peer)
    give_weights(peer, task)
    return peer.to(next(task.parameters()).device).train()


def give_weights(peer: nn.Module, task: SegmentationTask) -> None:
    """Load mmseg's weights into ours, through a file as a user does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "peer.pth"
        torch.save({"state_dict": peer.state_dict()}, file)
        load_weights(task.network, file)


def randomise(model: nn.Module) -> None:
    """Move every parameter and every count of a batch norm off its start, behind which a difference could hide."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and "preprocessor" not in name:
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.add_(0.05 * noise if "running_var" in name else 0.05 * (noise - 0.5))


def random_batch(batch: int, size: tuple[int, int], num_classes: int, *, device: str = "cpu") -> SegmentationBatch:
    """Noise and labels in blocks, a tenth of them ignored."""
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(256, (batch, 3, *size), dtype=torch.uint8, generator=generator)
    coarse = torch.randint(num_classes, (batch, 1, -(-size[0] // 16), -(-size[1] // 16)), generator=generator)
    coarse[torch.rand(coarse.shape, generator=generator) < 0.1] = 255
    mask = nn.functional.interpolate(coarse.float(), size=size)[:, 0].to(torch.uint8)
    return {"image": image.to(device), "mask": mask.to(device), "path": ["made"] * batch}


def check_same(task: SegmentationTask, peer: nn.Module, batch: SegmentationBatch) -> float:
    """Compare logits and loss at evaluation in float32, the bases of the factorisation fixed.

    Returns:
        The largest difference of logits, as a share of the largest logit.

    Raises:
        AssertionError: They are not the same function.
    """
    task.eval(), peer.eval()
    with torch.no_grad(), mmseg.fixed_bases(peer, task.network.decoder.hamburger.ham.bases):  # type: ignore[union-attr]
        data: dict[str, Any] = peer.data_preprocessor(mmseg.create_batch(batch["image"], batch["mask"]), True)  # type: ignore[operator]
        theirs = mmseg.infer(peer, data["inputs"])
        ours: Tensor = task.network(task.normalise(batch["image"]))
        losses = peer.loss(data["inputs"], data["data_samples"]), task.compute_loss(batch)  # type: ignore[operator]
    off = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    assert off < CLOSE, f"logits differ by {off:.2g} of the largest"
    torch.testing.assert_close(losses[1], losses[0]["decode.loss_ce"], rtol=1e-3, atol=1e-4)
    task.train(), peer.train()
    return off
