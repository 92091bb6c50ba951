"""Engine that runs the network in OpenVINO, an inference runtime for CPUs."""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.engines.engine import Core, Engine, Precision
from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.channels import image_channels
from foveate.pipeline.text import last_line

KEPT = 4  # number of image sizes whose compiled models are kept
STEADY = 60.0  # after so many seconds at one size, a model for that size alone is compiled, which is a tenth faster
EXAMPLE = (1, 128, 192)  # images, height and width with which the model for any size is traced
TRIALS = ((1, 128, 192), (2, 96, 160))  # the same with which that model is tested
TOLERANCE = 1e-3  # accepted difference, as a share of the largest logit
HINTS = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"}}
# In float32, OpenVINO 2026.4 mistakes LightHam's factorisation of small feature maps for attention and crashes.
HINTS["float32"]["SNIPPETS_MODE"] = "DISABLE"
Shape = tuple[int, ...]
Form = Callable[[Tensor], Tensor]  # from normalised images to logits

log = logging.getLogger(__name__)


def is_installed() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def create_openvino(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """The folded network, converted once for images of any size if possible, else once per image size.

    Raises:
        ConfigError: The runtime is not installed, the network is on a GPU, or it cannot be converted.
    """
    if not is_installed():
        raise ConfigError("engine openvino: not installed here; pip install 'foveate[openvino]'")
    if image.device.type != "cpu":
        raise ConfigError(f"engine openvino runs on the processor, and the network is on {image.device}; use torch")
    shapes = CompiledShapes(Core(fold(network.eval(), image)).eval(), precision)
    shapes.find(tuple(image.shape))  # raises if the network cannot be converted
    note = "" if shapes.takes_any_size else "converted again for each image size"
    return Engine("openvino", shapes, shapes.core.coarse, note)


class CompiledShapes:
    """Compiled models of one network: one for images of any size, and others for one size each.

    Args:
        core: The folded network.
        precision: Precision of the inference.

    Attributes:
        takes_any_size: Whether one model runs images of any size.
    """

    def __init__(self, core: Core, precision: Precision) -> None:
        self.core = core
        self.precision = precision
        self._kept: OrderedDict[Shape, Form] = OrderedDict()
        self._spent: Counter[Shape] = Counter()
        self._open = _compile_open(core, precision)

    @property
    def takes_any_size(self) -> bool:
        return self._open is not None

    def __call__(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B ..."]:
        shape = tuple(image.shape)
        form = self.find(shape)
        started = time.perf_counter()
        logits = form(image)
        self._spent[shape] += time.perf_counter() - started  # type: ignore[assignment]  # a Counter of floats
        return logits

    def find(self, shape: Shape) -> Form:
        """The compiled model for a shape, converted if there is none.

        Args:
            shape: Shape of the images, (B, C, H, W).
        """
        if shape in self._kept:
            self._kept.move_to_end(shape)
        elif self._open is not None and self._spent[shape] < STEADY:
            return self._open
        else:
            self._keep(shape)
        return self._kept[shape]

    def _keep(self, shape: Shape) -> None:
        if self._kept:
            log.warning("engine openvino: converting for images of %s", _size(shape))
        self._kept[shape] = _compile(self.core, shape, self.precision)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _compile_open(core: Core, precision: Precision) -> Form | None:
    """A model for images of any size; None if the network cannot be traced, or its graph holds the traced size.

    In bfloat16 there is none: with dynamic shapes, OpenVINO 2026.4 did not finish an inference of a small LightHam.
    """
    if precision == "bfloat16":
        return None
    try:
        channels = image_channels(core)
        form = _compile(core, _shape(EXAMPLE, channels), precision, open_sizes=True)
        shapes = [_shape(trial, channels) for trial in TRIALS]
        trials = [torch.rand(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes]
        agree = all(_agrees(form, core, image) for image in trials)
    except Exception:  # from tracing, conversion, or a network that accepts one size: use one model per size
        return None
    return form if agree else None


def _shape(trial: tuple[int, int, int], channels: int) -> Shape:
    images, height, width = trial
    return (images, channels, height, width)


def _agrees(form: Form, core: Core, image: Tensor) -> bool:
    with torch.no_grad():
        wanted: Tensor = core(image)
    given = form(image)
    if given.shape != wanted.shape:
        return False
    return float((given - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())


def _size(shape: Shape) -> str:
    return f"{shape[2]} x {shape[3]} (batch {shape[0]})"


def load_runtime() -> Any:
    """OpenVINO, without its telemetry: the user was not asked, and each report forks this process."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes the import of this module fail
    import openvino

    return openvino


@cache
def _core() -> Any:
    """One core for the lifetime of the process: its plugin installs a signal stack, and frees it with the core.

    If another thread releases the last core, as the garbage collector may do, the main thread keeps a signal stack
    that was freed, and the next signal (a worker exits, Ctrl-C) kills the process without a message.
    """
    return load_runtime().Core()


def keep_core() -> None:
    """Keep OpenVINO's plugin loaded until the process ends; see `_core`."""
    _core()


def _compile(core: Core, shape: Shape, precision: Precision, *, open_sizes: bool = False) -> Form:
    runtime = load_runtime()
    settings = {
        **HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    model = _convert_open(runtime, core, shape) if open_sizes else _convert(runtime, core, shape)
    compiled = _core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def run(image: Tensor) -> Tensor:
        request.infer([image.float().contiguous().numpy()], share_inputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data.copy())  # the next call overwrites it

    return run


def _convert_open(runtime: Any, core: Core, shape: Shape) -> Any:
    """Convert a traced graph, with dynamic batch, height and width; the number of channels is fixed."""
    example = torch.zeros(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of sizes that became constants, which the tests with `TRIALS` detect
        return runtime.convert_model(_trace(core, example), example_input=example, input=[[-1, shape[1], -1, -1]])


def _convert(runtime: Any, core: Core, shape: Shape) -> Any:
    """Convert a traced graph; if tracing fails, one by torch.export, which takes many times as long.

    Raises:
        ConfigError: A part of the network cannot be exported or converted.
    """
    example = torch.zeros(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # sizes may become constants, since each shape has its own model
        try:
            return runtime.convert_model(_trace(core, example), example_input=example, input=[list(shape)])
        except Exception:
            pass
        try:
            return runtime.convert_model(torch.export.export(core, (example,), strict=False).run_decompositions())
        except Exception as error:
            raise ConfigError(f"engine openvino cannot take this network: {last_line(error)}; use folded") from error


def _trace(core: Core, example: Tensor) -> torch.jit.ScriptModule:
    """A graph of PyTorch operators, in which everything that does not depend on the image is a constant."""
    tracer: Any = torch.jit
    traced: torch.jit.ScriptModule = tracer.freeze(tracer.trace(core, example, check_trace=False))
    graph: Any = traced.graph
    for node in graph.findAllNodes("aten::mT"):  # the only operator in our networks that OpenVINO does not support
        graph.setInsertPoint(node)
        axes = [graph.insertConstant(axis) for axis in (-2, -1)]
        swapped = graph.create("aten::transpose", [next(node.inputs()), *axes], 1).insertBefore(node)
        swapped.output().setType(node.output().type())
        node.output().replaceAllUsesWith(swapped.output())
        node.destroy()
    return traced
