"""Table row: what `--model.compile` makes of a training step, and how long one waits for it first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from foveate.benchmarks import classification, training_step
from foveate.benchmarks.networks import create_peer, create_task, random_batch
from foveate.benchmarks.pairing import Candidate, alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.pipeline.models.compiling import compile_network

CLASSIFIERS = {"MobileNetV2": "mobilenet_v2_100", "ViT-Ti": "vit_ti"}


@dataclass(frozen=True)
class Pair:
    """A step as it is, and the same step compiled.

    Attributes:
        title: Whose step it is.
        plain: The step.
        compiled: It compiled; its first call takes minutes.
    """

    title: str
    plain: Candidate
    compiled: Candidate


def run(settings: Settings) -> Result:
    """Each network's step with and without torch.compile, in turn, under bf16 autocast."""
    torch.set_num_threads(settings.threads)
    wait = waiter(settings.device) or (lambda: None)
    figures: dict[str, list[float]] = {}
    goals: list[Goal] = []
    remarks: list[str] = []
    for pair in pairs(settings.device):
        begun = time.perf_counter()
        pair.compiled()
        wait()
        remarks.append(f"Compiling {pair.title} took {time.perf_counter() - begun:.0f} s.")
        plain, compiled = pair.title, f"{pair.title}, compiled"
        candidates = {plain: pair.plain, compiled: pair.compiled}
        figures |= alternate(candidates, rounds=settings.times(9), after=wait)
        goals.append(Goal(f"training step, {pair.title}", plain, compiled))
    what = (
        "Normalise, forward, loss, backward and AdamW under bf16 autocast: SegNeXt-T on 512x512, batch "
        f"{training_step.BATCHES[settings.device]}, 19 classes; the classifiers on 224 px, batch "
        f"{classification.BATCH}, {classification.CLASSES} classes. Compiled: the network through "
        "torch.compile with its defaults, as --model.compile does it; mmseg's backbone and head likewise. Without it "
        "our networks run native kernels of ours on a CPU, which torch.compile replaces by its own."
    )
    return Result("compiling", "torch.compile in training", what, figures, goals, remarks=remarks)


def pairs(device: str) -> Iterator[Pair]:
    """Of each network, one after the other, since each takes memory."""
    size, batch_size = training_step.SIZE, training_step.BATCHES[device]
    batch = random_batch(batch_size, size, training_step.CLASSES, device=device)

    def segnext(prepare: Callable[[nn.Module], None]) -> Candidate:
        task = create_task(device=device)
        prepare(task.network)
        return training_step.our_step(task, batch)

    def peer(prepare: Callable[[nn.Module], None]) -> Candidate:
        model = create_peer(create_task(device=device), size)
        prepare(model)
        return training_step.peer_step(model, batch, bf16=True, best=True)

    yield Pair("SegNeXt-T", segnext(leave), segnext(compile_network))
    yield Pair("SegNeXt-T, mmseg at its best", peer(leave), peer(compile_learned))
    images = classification.random_batch(device)
    for title, name in CLASSIFIERS.items():
        steps = [classification.our_step(name, images, prepare) for prepare in (leave, compile_network)]
        yield Pair(title, *steps)


def leave(network: nn.Module) -> None:
    """Nothing."""


def compile_learned(model: nn.Module) -> None:
    """mmseg's parts with weights; what prepares its batches is no part of the network."""
    for name in ("backbone", "decode_head"):
        part = getattr(model, name)
        part.forward = torch.compile(part.forward)  # its loss calls forward of the head, not the head
