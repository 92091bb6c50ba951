"""The network in OpenVINO, a runtime for processors."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections import OrderedDict
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

KEPT = 4  # sizes; each holds its own compiled form
HINTS = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"}}
# In float32, OpenVINO 2026.4 takes LightHam's factorisation of small maps for attention, and compiling that crashes.
HINTS["float32"]["SNIPPETS_MODE"] = "DISABLE"
Shape = tuple[int, ...]


def is_installed() -> bool:
    """Whether the runtime is there."""
    return importlib.util.find_spec("openvino") is not None


def create_openvino(network: nn.Module, image: Float[Tensor, "B C H W"], precision: Precision) -> Engine:
    """The folded network, converted and compiled for each shape of images; the last few are kept.

    Raises:
        ConfigError: The runtime is not installed, the network is on a GPU, or it cannot be converted.
    """
    if not is_installed():
        raise ConfigError("engine openvino: not installed here; pip install 'foveate[openvino]'")
    if image.device.type != "cpu":
        raise ConfigError(f"engine openvino runs on the processor, and the network is on {image.device}; use torch")
    shapes = CompiledShapes(Core(fold(network.eval(), image)).eval(), precision)
    shapes.find(tuple(image.shape))  # what cannot be converted fails here
    return Engine("openvino", shapes, shapes.core.coarse, "converted anew for each size")


class CompiledShapes:
    """Compiled forms of one network, by the shape of its input.

    Args:
        core: What is converted.
        precision: Of the arithmetic.
    """

    def __init__(self, core: Core, precision: Precision) -> None:
        self.core = core
        self.precision = precision
        self._kept: OrderedDict[Shape, Callable[[Tensor], Tensor]] = OrderedDict()

    def __call__(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B ..."]:
        return self.find(tuple(image.shape))(image)

    def find(self, shape: Shape) -> Callable[[Tensor], Tensor]:
        """The form for a shape, made if need be."""
        if shape not in self._kept:
            if self._kept:
                print(f"engine openvino: converting for images of {_size(shape)}", file=sys.stderr, flush=True)
            self._kept[shape] = _compile(self.core, shape, self.precision)
        self._kept.move_to_end(shape)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[shape]


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


def _compile(core: Core, shape: Shape, precision: Precision) -> Callable[[Tensor], Tensor]:
    runtime = _runtime()
    settings = {
        **HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = _core().compile_model(_convert(runtime, core, shape), "CPU", settings)
    request = compiled.create_infer_request()

    def run(image: Tensor) -> Tensor:
        request.infer([image.float().contiguous().numpy()], share_inputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data.copy())  # the next call writes over it

    return run


def _convert(runtime: Any, core: Core, shape: Shape) -> Any:
    """By way of a traced graph, or where that does not do of torch's exporter, which takes many times as long.

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
