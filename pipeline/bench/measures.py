"""Everything that is measured of one network at one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foveate.pipeline.bench.subject import Subject
from foveate.pipeline.engines import ENGINES, create_engine
from foveate.pipeline.engines.engine import Core, Engine, Precision, autocast
from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.measuring.costs import added_memory, count_macs, count_parameters, in_fresh_process
from foveate.pipeline.measuring.modules import Shares, time_modules
from foveate.pipeline.measuring.timing import Times, Work, measure_peak, time_in_turn
from foveate.pipeline.measuring.training_step import create_step
from foveate.pipeline.task import VisionTask

STEP = "training step"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Conditions:
    """Under which a network is measured.

    Attributes:
        size: Height and width of an image.
        batch_size: Images at a time.
        engine: A name, `auto`, or `all` that can run here.
        precision: float32 or bfloat16.
        train: Whether a training step is measured too.
        rounds: How often each time is taken.
        threads: Of the processor.
    """

    size: tuple[int, int]
    batch_size: int
    engine: str
    precision: Precision
    train: bool
    rounds: int
    threads: int


@dataclass(frozen=True)
class Measures:
    """What was found.

    Attributes:
        parameters: Trained values.
        macs: Multiply-adds for one image.
        peak: Multiply-adds a second of a large matrix product here, in this precision.
        latencies: Times of one batch, by engine; `training step` beside them.
        memory: Bytes at the peak beyond the network, by engine; None where it could not be told.
        left_out: Engines that cannot run here, and why.
        profiled: The engine whose modules were timed.
        places: Share of the time by part of the network.
        kinds: Share of the time by class of module.
    """

    parameters: int
    macs: int
    peak: float
    latencies: dict[str, Times]
    memory: dict[str, int | None]
    left_out: dict[str, str]
    profiled: str
    places: Shares
    kinds: Shares


def measure(subject: Subject, conditions: Conditions, tell: Tell) -> Measures:
    """Measure a network.

    Args:
        subject: The network.
        conditions: Under which it is measured.
        tell: Called with a short text before each part.
    """
    torch.set_num_threads(conditions.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = subject.build().eval().to(device)
    pixels = _pixels(subject, task, conditions)
    peak = measure_peak(DTYPES[conditions.precision], device)
    macs = count_macs(task.network, pixels)
    engines, left_out = _create_engines(task, pixels, conditions, tell)
    works = _works(subject, task, engines, pixels, conditions)
    latencies = time_in_turn(works, rounds=conditions.rounds, tell=tell)
    memory = {}
    for name in works:
        tell(f"memory of {name}, in a process of its own")
        memory[name] = in_fresh_process(measure_memory, subject, conditions, name)
    tell("where the time goes")
    profiled, places, kinds = _profile(task, list(engines), pixels, conditions)
    return Measures(
        parameters=count_parameters(task.network),
        macs=macs,
        peak=peak,
        latencies=latencies,
        memory=memory,
        left_out=left_out,
        profiled=profiled,
        places=places,
        kinds=kinds,
    )


def _pixels(subject: Subject, task: VisionTask, conditions: Conditions) -> Tensor:
    image = subject.batch(conditions.size, conditions.batch_size)["image"]
    pixels: Tensor = task.normalise(image.to(task.device))
    return pixels


def _create_engines(
    task: VisionTask, pixels: Tensor, conditions: Conditions, tell: Tell
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Those asked for; of `all` those that can run here."""
    wanted: Sequence[str] = ENGINES if conditions.engine == "all" else [conditions.engine]
    engines: dict[str, Engine] = {}
    left_out: dict[str, str] = {}
    for name in wanted:
        tell(f"engine {name}")
        try:
            made = create_engine(task.network, pixels, engine=name, precision=conditions.precision)
        except ConfigError as error:
            if conditions.engine != "all":
                raise
            left_out[name] = str(error)
        else:
            engines[made.name] = made
    return engines, left_out


def _works(
    subject: Subject, task: VisionTask, engines: dict[str, Engine], pixels: Tensor, conditions: Conditions
) -> dict[str, Work]:
    works: dict[str, Work] = {name: _call(engine, pixels) for name, engine in engines.items()}
    return {**works, STEP: _step(subject, conditions)} if conditions.train else works


def _call(engine: Engine, pixels: Tensor) -> Work:
    return lambda: engine(pixels)


def _step(subject: Subject, conditions: Conditions) -> Work:
    """On a network of its own, so that the engines' stays in evaluation."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = subject.batch(conditions.size, conditions.batch_size)
    return create_step(
        subject.build().to(device), batch, lambda: autocast(device, conditions.precision), subject.clipping
    )


def measure_memory(subject: Subject, conditions: Conditions, name: str) -> int:
    """Bytes that two calls add to this process, which should do nothing else."""
    torch.set_num_threads(conditions.threads)
    if name == STEP:
        step = _step(subject, conditions)
        return added_memory(lambda: (step(), step()))
    task = subject.build().eval().to("cuda" if torch.cuda.is_available() else "cpu")
    pixels = _pixels(subject, task, conditions)
    engine = create_engine(task.network, pixels, engine=name, precision=conditions.precision)
    return added_memory(lambda: (engine(pixels), engine(pixels)))


def _profile(
    task: VisionTask, engines: Sequence[str], pixels: Tensor, conditions: Conditions
) -> tuple[str, Shares, Shares]:
    """Of the folded network if that runs among others, for a compiler and another runtime hide their modules."""
    profiled = "torch" if list(engines) == ["torch"] else "folded"
    network = task.network if profiled == "torch" else fold(task.network, pixels)
    core = Core(network).eval()

    def run() -> None:
        with torch.inference_mode(), autocast(pixels.device, conditions.precision):
            core(pixels)

    return profiled, *time_modules(core.network, run)
