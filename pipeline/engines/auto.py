"""The fastest engine for a network and a size, by trying."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.build import build_engine
from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.openvino import is_installed
from foveate.pipeline.errors import ConfigError

ROUNDS = 3
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # of the largest logit
CUDA = ("torch",)  # until a measurement there says otherwise
Key = tuple[tuple[int, ...], str, str]
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


def choose_engine(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """Try what can run here on this image, and take the fastest; the next time with this shape it is known."""
    key = (tuple(image.shape), precision, image.device.type)
    known = _chosen.setdefault(network, {})
    if key in known:
        return build_engine(network, image, known[key], precision)
    engines = build_engines(network, image, precision)
    if len(engines) == 1:
        return next(iter(engines.values()))
    trials = try_engines(engines, image, precision, _reference(network, image))
    best = min(trials, key=lambda trial: trial.seconds)
    known[key] = best.engine.name
    times = ", ".join(f"{trial.engine.name} {1e3 * trial.seconds:.0f} ms" for trial in trials)
    print(f"engine auto: {best.engine.name} ({times})", file=sys.stderr, flush=True)
    return best.engine


def list_candidates(device: torch.device) -> list[str]:
    """What `auto` tries: not `compile`, which takes minutes before the first image."""
    if device.type != "cpu":
        return list(CUDA)
    return ["torch", "folded", *(["openvino"] if is_installed() else [])]


def build_engines(network: nn.Module, image: Tensor, precision: Precision) -> dict[str, Engine]:
    """Every candidate that takes this network; torch itself always does."""
    engines = {}
    for name in list_candidates(image.device):
        try:
            engines[name] = build_engine(network, image, name, precision)
        except ConfigError as error:
            print(f"engine auto: {name} left out: {error}", file=sys.stderr, flush=True)
    return engines


def try_engines(engines: Mapping[str, Engine], image: Tensor, precision: Precision, reference: Tensor) -> list[Trial]:
    """Time engines in turn; one whose logits are off is left out, and said so."""
    differences = {name: _difference(engine(image), reference) for name, engine in engines.items()}
    same = {
        name: engine for name, engine in engines.items() if name == "torch" or differences[name] <= TOLERANCE[precision]
    }
    for name in engines.keys() - same.keys():
        off = f"its logits differ by {differences[name]:.2g} of the largest, more than {TOLERANCE[precision]:g}"
        print(f"engine auto: {name} left out: {off}", file=sys.stderr, flush=True)
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
