"""A block can leave Python: compiled, exported, and as ONNX."""

from __future__ import annotations

import importlib
import importlib.util
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from foveate.plugins.conformance.rule import BrokenRuleError, SkippedRuleError, rule
from foveate.plugins.conformance.subject import Subject, backward, call, is_close

ONNX_NEEDS = ("onnx", "onnxscript", "onnxruntime")


@rule("compile", advice="keep the forward pass to tensor operations; see TORCH_LOGS=graph_breaks,recompiles")
def compile_it(subject: Subject) -> None:
    """torch.compile gives the same answer and gradient (traced, not generated: no compiler is needed)."""
    x = subject.features()
    try:
        import torch._dynamo  # what torch.compile runs on: absent where Python is too new for this torch
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
    advice="no branch, loop or size that depends on values: use torch.where, sizes of x, and operators of torch",
)
def export_it(subject: Subject) -> None:
    """torch.export captures the whole block, and the captured one gives the same answer."""
    x = subject.features()
    with torch.no_grad(), _quiet():
        exported: Any = torch.export.export(subject.module(), (x.clone(),), strict=False).module()
        _expect_close(call(exported, x), call(subject.module(), x), "the exported block")


@rule("onnx", advice="use operators that the ONNX exporter knows; what it says names the one it lacks")
def run_as_onnx(subject: Subject) -> str:
    """Exported to ONNX, the block gives the same answer in onnxruntime."""
    missing = [name for name in ONNX_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise SkippedRuleError(f"not installed: {', '.join(missing)} (pip install {' '.join(missing)})")
    x = subject.features()
    with TemporaryDirectory() as folder, torch.no_grad(), _quiet():
        file = str(Path(folder) / "block.onnx")
        program: Any = torch.onnx.export(subject.module(), (x.clone(),), dynamo=True, verbose=False)
        program.save(file)
        session = importlib.import_module("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
        (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        _expect_close(torch.from_numpy(answer), call(subject.module(), x), "the block in onnxruntime")
        return f"opset {program.model.opset_imports['']}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracers talk and warn about themselves."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _expect_close(out: Tensor, plain: Tensor, what: str) -> None:
    if not is_close(out, plain):
        raise BrokenRuleError(f"{what} gives another answer")
