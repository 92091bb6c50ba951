"""Rules on graphs: a block can be compiled, exported and run as ONNX."""

from __future__ import annotations

import importlib
import importlib.util
import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from foveate.plugins.conformance.rule import BrokenRuleError, SkippedRuleError, rule
from foveate.plugins.conformance.subject import SIZE, Size, Subject, backward, call, is_close

ONNX_NEEDS = ("onnx", "onnxscript", "onnxruntime")
OPSET = 20  # DeformConv came with opset 19, the present form of GridSample with 20
OTHER: Size = (9, 31)  # one side shorter and one longer than in the traced input, both odd


@rule(
    "compile",
    advice="use only tensor operations in the forward pass; TORCH_LOGS=graph_breaks,recompiles shows others",
)
def compile_it(subject: Subject) -> None:
    """torch.compile gives the same output and gradient (backend aot_eager, which needs no C++ compiler)."""
    x = subject.features()
    try:
        import torch._dynamo  # torch.compile needs it; missing where Python is too new for this torch
    except (ImportError, RuntimeError) as error:
        raise SkippedRuleError(f"torch.compile is not available: {error}") from error
    torch._dynamo.reset()
    with _quiet():
        out, gradient = backward(torch.compile(subject.module(), backend="aot_eager"), x)  # type: ignore[arg-type]
    torch._dynamo.reset()
    plain, plain_gradient = backward(subject.module(), x)
    _expect_close(out, plain, "the compiled block")
    if gradient is not None and plain_gradient is not None:
        _expect_close(gradient, plain_gradient, "the gradient of the compiled block")


@rule(
    "export",
    advice="use no branch, loop or size that depends on tensor values: use torch.where, x.shape and torch operators",
)
def export_it(subject: Subject) -> None:
    """torch.export captures the whole block, and the exported block gives the same output."""
    x = subject.features()
    with torch.no_grad(), _quiet():
        exported: Any = torch.export.export(subject.module(), (x.clone(),), strict=False).module()
        _expect_close(call(exported, x), call(subject.module(), x), "the exported block")


@rule(
    "onnx",
    advice="use operators that the ONNX exporter supports (its message names the missing one), and take sizes from "
    "x.shape in forward: no int(x.shape[2]), and adaptive pooling to 1 x 1 only",
)
def run_as_onnx(subject: Subject) -> str:
    """Exported to ONNX, the block gives the same output in onnxruntime.

    The model has opset 20 and dynamic height and width; it is run at the size it was traced at and at another size.
    """
    missing = [name for name in ONNX_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise SkippedRuleError(f"not installed: {', '.join(missing)} (pip install {' '.join(missing)})")
    with TemporaryDirectory() as folder, torch.no_grad(), _quiet():
        file = str(Path(folder) / "block.onnx")
        _write_onnx(subject, file)
        session = importlib.import_module("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
        for size in (SIZE, OTHER):
            x = subject.features(size)
            (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
            what = f"the block in onnxruntime at {size[0]} x {size[1]}"
            _expect_close(torch.from_numpy(answer), call(subject.module(), x), what)
    return f"opset {OPSET}, any size"


def _write_onnx(subject: Subject, file: str) -> None:
    """Write the block with dynamic height and width, or raise with the reason why that fails."""
    try:
        _export_onnx(subject, {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}).save(file)
    except Exception as error:
        try:
            _export_onnx(subject, None)
        except Exception as fixed:
            raise BrokenRuleError(f"cannot be exported: {_root(fixed)}") from fixed
        raise BrokenRuleError(f"can be exported for {SIZE[0]} x {SIZE[1]} only: {_root(error)}") from error


def _export_onnx(subject: Subject, sizes: dict[int, Any] | None) -> Any:
    shapes = None if sizes is None else (sizes,)
    module, x = subject.module(), subject.features()
    return torch.onnx.export(module, (x,), dynamo=True, verbose=False, opset_version=OPSET, dynamic_shapes=shapes)


def _root(error: BaseException) -> str:
    """The first error of a chain, as text: the exporter wraps it twice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return textwrap.shorten(f"{type(error).__name__}: {error}", 300)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the output and warnings of tracers, which concern only themselves."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _expect_close(out: Tensor, plain: Tensor, what: str) -> None:
    if not is_close(out, plain):
        raise BrokenRuleError(f"{what} gives another output")
