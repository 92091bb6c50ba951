"""Table row: logits of one image of 1024 x 2048 by SegNeXt-T."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn

from foveate.benchmarks.networks import check_same, create_peer, create_task, random_batch
from foveate.benchmarks.pairing import Candidate, alternate, fastest
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.peers import mmseg
from foveate.benchmarks.results import Goal, Result, Settings

SIZE, CLASSES = (1024, 2048), 19
ROW = "inference, SegNeXt-T, 1024x2048"
PLAIN = "ours, plain PyTorch"
BF16_OFF = 0.1  # of the largest logit: what bf16 may change


def run(settings: Settings) -> Result:
    """mmseg as it ships and at its best, our network in plain PyTorch, and our engines."""
    torch.set_num_threads(settings.threads)
    task = create_task(device=settings.device)
    peer = create_peer(task, SIZE)
    check_same(task, peer, random_batch(1, SIZE, CLASSES, device=settings.device))
    image = task.normalise(random_batch(1, SIZE, CLASSES, device=settings.device)["image"])
    network = task.network.eval()
    theirs = peer_settings(peer.eval(), image)
    best = fastest({name: call for name, call in theirs.items() if name != "mmseg as shipped"}, rounds=2)
    candidates = {"mmseg as shipped": theirs["mmseg as shipped"], "mmseg at its best": theirs[best]}
    candidates[PLAIN] = autocast(network, image)
    engines, remarks = our_engines(network, image)
    check_engines(engines, candidates[PLAIN]())
    candidates |= {f"ours, {name}": call for name, call in engines.items()}
    seconds = alternate(candidates, rounds=settings.times(9), after=waiter(settings.device))
    if engines:
        chosen = min(engines, key=lambda name: statistics.median(seconds[f"ours, {name}"]))
        seconds["ours, best engine"] = seconds.pop(f"ours, {chosen}")
        remarks.append(f"The best engine was {chosen}.")
    goals = [Goal(f"{ROW}, best engine", "mmseg at its best", "ours, best engine", 2.6)] if engines else []
    goals += [Goal(f"{ROW}, plain PyTorch", "mmseg at its best", PLAIN, 1.5), Goal(ROW, "mmseg as shipped", PLAIN)]
    remarks.append(f"mmseg's best setting was {best.removeprefix('mmseg, ')}.")
    what = (
        "From a normalised float image to float logits of 19 classes at its size. Ours in bf16, as mmseg at its best."
    )
    return Result("inference", "Inference", what, seconds, goals, remarks=remarks)


def peer_settings(peer: nn.Module, image: Tensor) -> dict[str, Candidate]:
    """What can be set in mmseg without changing it: memory format and autocast. Its weights cannot be cast to bf16."""
    last = twin(peer).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = image.contiguous()
    return {
        "mmseg as shipped": peer_call(peer, plain, bf16=False),
        "mmseg, channels_last": peer_call(last, image, bf16=False),
        "mmseg, bf16 autocast": peer_call(peer, plain, bf16=True),
        "mmseg, channels_last and bf16 autocast": peer_call(last, image, bf16=True),
    }


def peer_call(peer: nn.Module, image: Tensor, *, bf16: bool) -> Callable[[], Tensor]:
    """Its logits of an image."""

    def call() -> Tensor:
        with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, enabled=bf16):
            return mmseg.infer(peer, image)

    return call


def twin(peer: nn.Module) -> nn.Module:
    """A copy."""
    copy = mmseg.create_segnext(peer.num_classes, size=SIZE)  # type: ignore[arg-type]
    copy.load_state_dict(peer.state_dict())
    return copy.to(next(peer.parameters()).device).eval()


def autocast(network: nn.Module, image: Tensor) -> Callable[[], Tensor]:
    """The network as `foveate predict` runs it with bf16."""

    def call() -> Tensor:
        with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16):
            logits: Tensor = network(image)
            return logits

    return call


def our_engines(network: nn.Module, image: Tensor) -> tuple[dict[str, Candidate], list[str]]:
    """Our engines in bf16, by name, and a remark for each that is not to be had.

    On a CPU without `compile`, which takes minutes to build; on a GPU without OpenVINO, which does not run there.
    """
    try:
        from foveate.pipeline.engines import create_engine
    except ImportError:
        return {}, ["engine not available: foveate.pipeline.engines has no create_engine"]
    found: dict[str, Candidate] = {}
    remarks = []
    for name in ("folded", "openvino" if image.device.type == "cpu" else "compile"):
        try:
            engine = create_engine(network, image, engine=name, precision="bfloat16")
        except Exception as error:  # such as a library that is not installed; the table goes on without it
            remarks.append(f"engine {name} not available: {error}")
        else:
            found[name] = lambda engine=engine: engine(image)  # type: ignore[misc]
    return found, remarks


def check_engines(engines: dict[str, Candidate], expected: object) -> None:
    """Every engine gives the network's logits, as far as bf16 allows."""
    assert isinstance(expected, Tensor)
    for name, call in engines.items():
        given = call()
        assert isinstance(given, Tensor)
        off = ((given.float() - expected.float()).abs().max() / expected.abs().max()).item()
        assert off < BF16_OFF, f"engine {name}: logits differ by {off:.2g} of the largest"
