"""The network in OpenVINO, a runtime for processors."""

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
from foveate.pipeline.text import last_line

KEPT = 4  # sizes with a compiled form of their own
STEADY = 60.0  # seconds at one size with the form of open sizes: one for that size alone, a tenth faster, then pays
EXAMPLE = (1, 3, 128, 192)  # what the form of open sizes is traced on
TRIALS = ((1, 3, 128, 192), (2, 3, 96, 160))  # and what it is tried on
TOLERANCE = 1e-3  # of the largest logit
HINTS = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"}}
# In float32, OpenVINO 2026.4 takes LightHam's factorisation of small maps for attention, and compiling that crashes.
HINTS["float32"]["SNIPPETS_MODE"] = "DISABLE"
Shape = tuple[int, ...]
Form = Callable[[Tensor], Tensor]  # from normalised images to logits

log = logging.getLogger(__name__)


def is_installed() -> bool:
    """Whether the runtime is there."""
    return importlib.util.find_spec("openvino") is not None


def create_openvino(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """The folded network, converted once for images of any size where it allows that, else for each size.

    Raises:
        ConfigError: The runtime is not installed, the network is on a GPU, or it cannot be converted.
    """
    if not is_installed():
        raise ConfigError("engine openvino: not installed here; pip install 'foveate[openvino]'")
    if image.device.type != "cpu":
        raise ConfigError(f"engine openvino runs on the processor, and the network is on {image.device}; use torch")
    shapes = CompiledShapes(Core(fold(network.eval(), image)).eval(), precision)
    shapes.find(tuple(image.shape))  # what cannot be converted fails here
    note = "" if shapes.takes_any_size else "converted again for each size of image"
    return Engine("openvino", shapes, shapes.core.coarse, note)


class CompiledShapes:
    """Compiled forms of one network: one for images of any size, and others for one size each.

    Args:
        core: What is converted.
        precision: Of the arithmetic.

    Attributes:
        takes_any_size: Whether the network could be converted with open sizes.
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
        self._spent[shape] += time.perf_counter() - started  # type: ignore[assignment]  # Counter holds any number
        return logits

    def find(self, shape: Shape) -> Form:
        """The form for a shape, converted if need be.

        Args:
            shape: Of the images, (B, C, H, W).
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
    """A form for images of any size; None where the network cannot be traced so, or depends on the traced size.

    In bfloat16 there is none: with open sizes OpenVINO 2026.4 did not end an inference of a small LightHam.
    """
    if precision == "bfloat16":
        return None
    try:
        form = _compile(core, EXAMPLE, precision, open_sizes=True)
        trials = [torch.rand(shape, generator=torch.Generator().manual_seed(0)) for shape in TRIALS]
        agree = all(_agrees(form, core, image) for image in trials)
    except Exception:  # of the tracer, the converter, or a network of one size: it has a form for each size
        return None
    return form if agree else None


def _agrees(form: Form, core: Core, image: Tensor) -> bool:
    with torch.no_grad():
        wanted: Tensor = core(image)
    given = form(image)
    if given.shape != wanted.shape:
        return False
    return float((given - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())


def _size(shape: Shape) -> str:
    return f"{shape[2]} x {shape[3]} (batch {shape[0]})"


def _runtime() -> Any:
    """OpenVINO, without its reports of use to its makers: nobody was asked, and each forks this process."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Python's way to hide a module
    import openvino

    return openvino


@cache
def _core() -> Any:
    """One for as long as the process lives: its plugin gives signals a stack of its own, and takes that away with it.

    Where another thread lets go of the last core, as the garbage collector may, the main thread keeps a stack that is
    not there any more, and the next signal (a worker ends, Ctrl-C) kills the process without a word.
    """
    return _runtime().Core()


def _compile(core: Core, shape: Shape, precision: Precision, *, open_sizes: bool = False) -> Form:
    runtime = _runtime()
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
        return torch.from_numpy(request.get_output_tensor(0).data.copy())  # the next call writes over it

    return run


def _convert_open(runtime: Any, core: Core, shape: Shape) -> Any:
    """By way of a traced graph, in which batch, height and width stay open; channels do not."""
    example = torch.zeros(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # where a size becomes a constant: the trials notice
        return runtime.convert_model(_trace(core, example), example_input=example, input=[[-1, shape[1], -1, -1]])


def _convert(runtime: Any, core: Core, shape: Shape) -> Any:
    """By way of a traced graph, or where that fails of torch's exporter, which takes many times as long.

    Raises:
        ConfigError: A part of the network cannot be exported or converted.
    """
    example = torch.zeros(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # sizes become constants: each shape has its own form
        try:
            return runtime.convert_model(_trace(core, example), example_input=example, input=[list(shape)])
        except Exception:
            pass
        try:
            return runtime.convert_model(torch.export.export(core, (example,), strict=False).run_decompositions())
        except Exception as error:
            raise ConfigError(f"engine openvino cannot take this network: {last_line(error)}; use folded") from error


def _trace(core: Core, example: Tensor) -> torch.jit.ScriptModule:
    """A graph of plain operators in which everything that does not depend on the image was computed."""
    tracer: Any = torch.jit
    traced: torch.jit.ScriptModule = tracer.freeze(tracer.trace(core, example, check_trace=False))
    graph: Any = traced.graph
    for node in graph.findAllNodes("aten::mT"):  # the one operator of ours that OpenVINO does not know
        graph.setInsertPoint(node)
        axes = [graph.insertConstant(axis) for axis in (-2, -1)]
        swapped = graph.create("aten::transpose", [next(node.inputs()), *axes], 1).insertBefore(node)
        swapped.output().setType(node.output().type())
        node.output().replaceAllUsesWith(swapped.output())
        node.destroy()
    return traced
