"""The fastest engine for a network, found by trying what is worth trying."""

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
MANY = 100  # calls from which on engines are tried on the whole image: for fewer the trial takes too much of the time
CORNER = 256  # pixels
WORTH = {"folded": 3.0, "openvino": 45.0}  # seconds of the plain network from which on preparing an engine pays
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # of the largest logit
CUDA = ("torch",)  # until a measurement there says otherwise
Key = tuple[str, str, tuple[str, ...]]  # precision, device, what was tried

log = logging.getLogger(__name__)
_chosen: WeakKeyDictionary[nn.Module, dict[Key, str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Trial:
    """What came of trying an engine.

    Attributes:
        engine: What was tried.
        seconds: Median time of a call.
        difference: Largest difference of its logits from the plain network's in float32, as a share of the largest
            logit.
    """

    engine: Engine
    seconds: float
    difference: float


def choose_engine(
    network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision, calls: int | None = None
) -> Engine:
    """Try what can run here and is worth its preparation, and take the fastest; the choice is remembered.

    Args:
        network: A segmenter or classifier.
        image: Normalised images as they will come.
        precision: Of the arithmetic.
        calls: How many times the engine will run; None stands for many.
    """
    sample = image if calls is None or calls >= MANY else _corner(network, image)
    work = math.inf if calls is None else calls * _estimate(network, image, precision)
    names = [name for name in list_candidates(image.device) if work > WORTH.get(name, 0.0)]
    if names == ["torch"] and math.isfinite(work):
        note = f"auto: the {calls} images left take about {work:.0f} s, less than preparing another engine saves"
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
    """A part of one image that is quick to run; the whole of it where the network takes one size only."""
    corner = image[:1, :, :CORNER, :CORNER]
    try:
        _reference(network, corner)
    except (RuntimeError, ValueError, AssertionError):
        return image
    return corner


def _estimate(network: nn.Module, image: Tensor, precision: Precision) -> float:
    """Seconds that the plain network takes for the images, told by their corner."""
    corner, plain = _corner(network, image), build_engine(network, image, "torch", precision)
    plain(corner)  # the first call takes longer
    return _time(plain, corner) * image.numel() / corner.numel()


def list_candidates(device: torch.device) -> list[str]:
    """The engines that `auto` considers: not `compile`, which takes minutes before the first image."""
    if device.type != "cpu":
        return list(CUDA)
    return ["torch", "folded", *(["openvino"] if is_installed() else [])]


def build_engines(network: nn.Module, image: Tensor, precision: Precision, names: Sequence[str]) -> dict[str, Engine]:
    """Those of the named engines that take this network; torch itself always does."""
    engines = {}
    for name in names:
        try:
            engines[name] = build_engine(network, image, name, precision)
        except ConfigError as error:
            log.warning("engine auto: %s left out: %s", name, error)
    return engines


def try_engines(engines: Mapping[str, Engine], image: Tensor, precision: Precision, reference: Tensor) -> list[Trial]:
    """Time engines in turn; one whose logits are off is left out, and said so."""
    differences = {name: _difference(engine(image), reference) for name, engine in engines.items()}
    same = {
        name: engine for name, engine in engines.items() if name == "torch" or differences[name] <= TOLERANCE[precision]
    }
    for name in engines.keys() - same.keys():
        log.warning(
            "engine auto: %s left out: its logits differ by %.2g of the largest, more than %g",
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
    """Logits of the plain network in float32; where its own bases are random no engine can agree, and torch stays."""
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
