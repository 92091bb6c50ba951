"""Table row: test-time augmentation of one image by SegNeXt-T, six scales and their mirror images."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.benchmarks.networks import create_peer, create_task, random_batch
from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.pipeline.engines import create_engine
from foveate.pipeline.inference import InferenceConfig, infer_classes
from foveate.pipeline.inference.config import MULTI_SCALE

SIZE, CLASSES = (256, 512), 19
SAME = 0.97  # share of equal classes with random weights, whose logits lie close together; float32 gives 0.999


def run(settings: Settings) -> Result:
    """mmseg's views, merged by its own code, and ours."""
    torch.set_num_threads(settings.threads)
    task = create_task(device=settings.device)
    peer = create_peer(task, SIZE).eval()
    network = task.network.eval()
    image = task.normalise(random_batch(1, SIZE, CLASSES, device=settings.device)["image"])
    config = InferenceConfig(multiple_of=1, protocol="multi_scale")
    candidates: dict[str, Candidate] = {
        "mmseg as shipped": lambda: by_mmseg(peer, image.contiguous(), bf16=False),
        "mmseg, bf16": lambda: by_mmseg(peer, image.contiguous(), bf16=True),
        "ours, plain PyTorch": ours(network, image, config, bf16=False),
        "ours, plain PyTorch, bf16": ours(network, image, config, bf16=True),
    }
    engine = create_engine(network, image, engine="folded", precision="bfloat16")
    candidates["ours, folded, bf16"] = ours(engine, image, config, bf16=False)
    with torch.inference_mode(), mmseg.fixed_bases(peer, network.decoder.hamburger.ham.bases):  # type: ignore[union-attr]
        expected = candidates["mmseg as shipped"]()
        shares = {name: (call() == expected).float().mean().item() for name, call in candidates.items()}  # type: ignore[attr-defined]
    assert shares["ours, plain PyTorch"] > SAME, shares
    seconds = alternate(candidates, rounds=settings.times(5), after=waiter(settings.device))
    what = (
        f"From a normalised image of {SIZE[0]} x {SIZE[1]} to the class of each pixel: the mean softmax of "
        f"{2 * len(MULTI_SCALE)} views. Share of pixels with mmseg's class: "
        f"{', '.join(f'{name} {share:.3f}' for name, share in shares.items() if share < 1)}, all others 1."
    )
    goals = [
        Goal("TTA, 12 views, plain PyTorch", "mmseg as shipped", "ours, plain PyTorch", 2.0),
        Goal("TTA, 12 views, bf16", "mmseg, bf16", "ours, plain PyTorch, bf16"),
        Goal("TTA, 12 views, folded", "mmseg, bf16", "ours, folded, bf16", 2.0),
    ]
    return Result("augmentation", "Test-time augmentation", what, seconds, goals)


def by_mmseg(peer: nn.Module, image: Tensor, *, bf16: bool) -> Tensor:
    """Its forward pass, resizing and merging of `SegTTAModel`, on views that are resized beforehand as ours are."""
    total: Tensor | None = None
    with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, enabled=bf16):
        for scale in MULTI_SCALE:
            size = tuple(int(side * scale + 0.5) for side in SIZE)
            scaled = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
            for flip in (False, True):
                logits = mmseg.infer(peer, scaled.flip(3) if flip else scaled)
                full = F.interpolate(logits, size=SIZE, mode="bilinear", align_corners=False)
                views = (full.flip(3) if flip else full)[0].softmax(dim=0)
                total = views if total is None else total + views
        assert total is not None
        return (total / (2 * len(MULTI_SCALE))).argmax(dim=0)[None]


def ours(network: Callable[[Tensor], Tensor], image: Tensor, config: InferenceConfig, *, bf16: bool) -> Candidate:
    """The classes as `foveate predict` finds them."""

    def call() -> Tensor:
        with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, enabled=bf16):
            return infer_classes(network, image, config)

    return call
