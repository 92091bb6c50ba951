"""Engine `auto`: measures the engines that are worth preparing, and takes the fastest."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.build import build_engine
from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.openvino import is_installed
from foveate.pipeline.errors import ConfigError

ROUNDS = 3
MANY = 100  # from this number of calls on, engines are timed on the whole image; for fewer that would take too long
CORNER = 256  # pixels of the part of the image on which engines are timed otherwise
WORTH = {"folded": 3.0, "openvino": 45.0}  # least seconds in the plain network for which preparing it pays
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # accepted difference, as a share of the largest logit
CUDA = ("torch",)  # candidates on a GPU, until other engines are measured there
Key = tuple[str, str, tuple[str, ...]]  # precision, device type, names of the candidates

log = logging.getLogger(__name__)
_chosen: WeakKeyDictionary[nn.Module, dict[Key, str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Trial:
    """Time and accuracy of one engine.

    Attributes:
        engine: The engine.
        seconds: Median time of a call.
        difference: Largest absolute difference between its logits and those of the plain network in float32, divided
            by the largest logit.
    """

    engine: Engine
    seconds: float
    difference: float


def choose_engine(
    network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision, calls: int | None = None
) -> Engine:
    """Time the engines that can run here and are worth preparing, and take the fastest; the choice is cached.

    Args:
        network: A segmenter or classifier.
        image: Normalised images of the size that will be used most.
        precision: Precision of the engines.
        calls: Expected number of calls; None means many.
    """
    sample = image if calls is None or calls >= MANY else _corner(network, image)
    work = math.inf if calls is None else calls * _estimate(network, image, precision)
    names = [name for name in list_candidates(image.device) if work > WORTH.get(name, 0.0)]
    if names == ["torch"] and math.isfinite(work):
        note = f"auto: torch takes about {work:.0f} s for the {calls} images left, too little for another engine to pay"
        return replace(build_engine(network, image, "torch", precision), note=note)
    key = (precision, image.device.type, tuple(names))
    known = _chosen.setdefault(network, {})
    if key in known:
        return build_engine(network, image, known[key], precision)
    engines = build_engines(network, image, precision, names)
    trials = try_engines(engines, sample, precision, _reference(network, sample)) if len(engines) > 1 else []
    if not trials:
        return next(iter(engines.values()))
    best = min(trials, key=lambda trial: trial.seconds)
    known[key] = best.engine.name
    times = ", ".join(f"{trial.engine.name} {1e3 * trial.seconds:.0f} ms" for trial in trials)
    height, width = sample.shape[2:]
    return replace(best.engine, note=f"auto: the fastest of {times} at {height} x {width}")


def _corner(network: nn.Module, image: Tensor) -> Tensor:
    """A corner of one image, which runs quickly; the whole image if the network accepts only one size."""
    corner = image[:1, :, :CORNER, :CORNER]
    try:
        _reference(network, corner)
    except (RuntimeError, ValueError, AssertionError):
        return image
    return corner


def _estimate(network: nn.Module, image: Tensor, precision: Precision) -> float:
    """Estimated seconds of the plain network for the images, from the time of a corner."""
    corner, plain = _corner(network, image), build_engine(network, image, "torch", precision)
    plain(corner)  # the first call takes longer
    return _time(plain, corner) * image.numel() / corner.numel()


def list_candidates(device: torch.device) -> list[str]:
    """The engines that `auto` considers; not `compile`, which needs minutes before the first image."""
    if device.type != "cpu":
        return list(CUDA)
    return ["torch", "folded", *(["openvino"] if is_installed() else [])]


def build_engines(network: nn.Module, image: Tensor, precision: Precision, names: Sequence[str]) -> dict[str, Engine]:
    """The named engines, without those that cannot run this network; `torch` always can."""
    engines = {}
    for name in names:
        try:
            engines[name] = build_engine(network, image, name, precision)
        except ConfigError as error:
            log.warning("engine auto: %s left out: %s", name, error)
    return engines


def try_engines(engines: Mapping[str, Engine], image: Tensor, precision: Precision, reference: Tensor) -> list[Trial]:
    """Time engines in turn; one whose logits differ too much is left out, with a warning."""
    differences = {name: _difference(engine(image), reference) for name, engine in engines.items()}
    same = {
        name: engine for name, engine in engines.items() if name == "torch" or differences[name] <= TOLERANCE[precision]
    }
    for name in engines.keys() - same.keys():
        log.warning(
            "engine auto: %s left out: its logits differ by %.2g of the largest logit; %g is accepted",
            name,
            differences[name],
            TOLERANCE[precision],
        )
    times: dict[str, list[float]] = {name: [] for name in same}
    for _ in range(ROUNDS):
        for name, engine in same.items():
            times[name].append(_time(engine, image))
    return [Trial(same[name], statistics.median(times[name]), differences[name]) for name in same]


def _reference(network: nn.Module, image: Tensor) -> Tensor:
    """Logits of the plain network in float32. A network with random bases agrees with no engine, so torch is kept."""
    with torch.inference_mode():
        logits: Tensor = network.eval()(image)
    return logits


def _difference(logits: Tensor, reference: Tensor) -> float:
    largest = float((logits.float() - reference.float()).abs().max())
    return largest / max(float(reference.abs().max()), 1e-12)


def _time(engine: Engine, image: Tensor) -> float:
    started = time.perf_counter()
    engine(image)
    return time.perf_counter() - started
