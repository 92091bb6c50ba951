"""Table row: a training step of MobileNetV2 and of ViT-Ti at 224 px, against timm and torchvision."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from foveate.benchmarks.pairing import Candidate, alternate, fastest
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.batch import ClassificationBatch
from foveate.datasets.classes import ClassSet
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.normalisation import MEAN, STD
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.weights import load_weights

SIZE, BATCH, CLASSES = 224, 16, 1000
NAMES = {"mobilenetv2_100": "MobileNetV2", "vit_tiny_patch16_224": "ViT-Ti"}
OURS = {"mobilenetv2_100": "mobilenet_v2_100", "vit_tiny_patch16_224": "vit_ti"}
GOALS = {"mobilenetv2_100": 1.2, "vit_tiny_patch16_224": 1.0}


def run(settings: Settings) -> Result:
    """Both networks, each against timm at the fastest of its settings."""
    torch.set_num_threads(settings.threads)
    batch = random_batch(settings.device)
    figures: dict[str, list[float]] = {}
    goals: list[Goal] = []
    remarks: list[str] = []
    for name, title in NAMES.items():
        check_same(name)
        best, steps = timm_steps(name, batch)
        remarks.append(f"timm's best setting for {title} was {best}.")
        candidates = {f"timm at its best, {title}": steps[best], f"ours, {title}": our_step(OURS[name], batch)}
        if name == "mobilenetv2_100":
            candidates[f"torchvision at its best, {title}"] = torchvision_step(batch)
        figures |= alternate(candidates, rounds=settings.times(12), after=waiter(settings.device))
        row = f"classification training step, {title}, 224 px"
        goals.append(Goal(row, f"timm at its best, {title}", f"ours, {title}", GOALS[name]))
        goals += [Goal(row, peer, f"ours, {title}") for peer in candidates if peer.startswith("torchvision")]
    what = (
        f"Normalise, forward, cross-entropy over {CLASSES} classes, backward and fused AdamW, batch {BATCH}, from "
        "scratch, no mixing of images. Peers were tried with and without channels_last and bf16 autocast, and the "
        "fastest was taken; timm's ViT uses torch's fused attention. Ours: the default under bf16 autocast."
    )
    return Result("classification", "Classification training step", what, figures, goals, remarks=remarks)


def random_batch(device: str) -> ClassificationBatch:
    """Noise."""
    image = torch.randint(256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8).to(device)
    return {"image": image, "label": torch.randint(CLASSES, (BATCH,)).to(device), "path": ["made"] * BATCH}


def timm_steps(name: str, batch: ClassificationBatch) -> tuple[str, dict[str, Candidate]]:
    """timm's step at each setting, and which is the fastest."""
    import timm

    steps: dict[str, Candidate] = {}
    for last, bf16 in product((False, True), (False, True)):
        model = timm.create_model(name, num_classes=CLASSES)
        words = ["channels_last" if last else "contiguous", "bf16" if bf16 else "float32"]
        steps[" and ".join(words)] = step_of(model, batch, last=last, bf16=bf16)
    return fastest(steps, rounds=2), steps


def torchvision_step(batch: ClassificationBatch) -> Candidate:
    """torchvision's MobileNetV2 in channels_last, in float32 or bf16, whichever is faster."""
    from torchvision.models import mobilenet_v2

    steps = {
        str(bf16): step_of(mobilenet_v2(num_classes=CLASSES), batch, last=True, bf16=bf16) for bf16 in (False, True)
    }
    return steps[fastest(steps, rounds=2)]


def step_of(model: nn.Module, batch: ClassificationBatch, *, last: bool, bf16: bool) -> Callable[[], None]:
    """A plain training step."""
    device = batch["image"].device
    layout = torch.channels_last if last else torch.contiguous_format
    model = model.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    mean, std = (torch.tensor(figures, device=device).view(-1, 1, 1) for figures in (MEAN, STD))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            image = (batch["image"].to(torch.float32, memory_format=layout) - mean) / std
            loss = F.cross_entropy(model(image), batch["label"])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def check_same(name: str) -> None:
    """Ours with timm's weights gives timm's logits.

    Raises:
        AssertionError: It does not.
    """
    import timm

    theirs, ours = timm.create_model(name, num_classes=CLASSES).eval(), create_task(OURS[name]).network.eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "timm.pth"
        torch.save(theirs.state_dict(), file)
        load_weights(ours, file)
    image = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-3, atol=1e-4)


def create_task(name: str) -> ClassificationTask:
    """Ours, from scratch."""
    labels = ClassSet(name="made", names=tuple(f"class {index}" for index in range(CLASSES)))
    return ClassificationTask(network=name, labels=labels)


def our_step(
    name: str, batch: ClassificationBatch, prepare: Callable[[nn.Module], None] = lambda network: None
) -> Callable[[], None]:
    """A step of our task, without a trainer.

    Args:
        name: Of the network.
        batch: What it learns.
        prepare: Changes the network before the first step.
    """
    task = create_task(name).to(batch["image"].device).train()
    prepare(task.network)
    optimizer = create_optimizer(task.network, task.optimizer_config)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(batch["image"].device.type, torch.bfloat16):
            loss = task.compute_loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
