"""All measurements of one network at one image size."""

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
    """The conditions under which a network is measured.

    Attributes:
        size: Height and width of an image.
        batch_size: Images per batch.
        engine: Name of an engine, `auto`, or `all` for every engine that can run here.
        precision: float32 or bfloat16.
        train: Whether a training step is measured too.
        rounds: Number of timed calls of each engine.
        threads: Number of processor threads.
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
    """The results of the measurement.

    Attributes:
        parameters: Number of trainable parameters.
        macs: Multiply-adds for one image.
        peak: Multiply-adds per second of a large matrix product on this machine, in this precision.
        latencies: Times of one batch, by engine, and of a `training step` if it was measured.
        memory: Peak memory in bytes, without the network itself, by engine; None where it could not be measured.
        left_out: Engines that cannot run here, and why.
        profiled: The engine whose modules were timed one by one.
        places: Share of the time by part of the network (path of the module).
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
        conditions: Image size, batch size, engines and precision.
        tell: Called with a short progress text before each measurement.
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
        tell(f"memory of {name}, in a separate process")
        memory[name] = in_fresh_process(measure_memory, subject, conditions, name)
    tell("time of each module")
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
    """The engines that were asked for; for `all`, those that can run here, and the reasons why others cannot."""
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
    """A training step on a second network, so that the engines' network stays in evaluation mode."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = subject.batch(conditions.size, conditions.batch_size)
    return create_step(
        subject.build().to(device), batch, lambda: autocast(device, conditions.precision), subject.clipping
    )


def measure_memory(subject: Subject, conditions: Conditions, name: str) -> int:
    """Peak memory in bytes of two calls; to be run in a process that does nothing else."""
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
    """Time the modules of the network in torch, folded if other engines run too: those do not expose their modules."""
    profiled = "torch" if list(engines) == ["torch"] else "folded"
    network = task.network if profiled == "torch" else fold(task.network, pixels)
    core = Core(network).eval()

    def run() -> None:
        with torch.inference_mode(), autocast(pixels.device, conditions.precision):
            core(pixels)

    return profiled, *time_modules(core.network, run)
