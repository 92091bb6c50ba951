"""Writes a trained model as a file for another runtime, checks it against PyTorch, and gives it a self-test."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.export import check_model
from foveate.pipeline.export.contract import LABELS, LOGITS, Contract, current_versions
from foveate.pipeline.export.formats.draft import Draft
from foveate.pipeline.export.formats.onnx_file import OnnxDraft, convert_onnx, strip
from foveate.pipeline.export.formats.openvino_file import convert_openvino, hints_of
from foveate.pipeline.export.formats.torch_file import convert_program, convert_script
from foveate.pipeline.export.graph import DTYPES, ExportGraph
from foveate.pipeline.export.images import Sample, Size
from foveate.pipeline.export.parity import Agreement, as_json, as_table, compare
from foveate.pipeline.export.quantise import LEVELS, quantise
from foveate.pipeline.export.runtime import ENDINGS, open_exported
from foveate.pipeline.export.self_test import create_self_test
from foveate.pipeline.export.subject import Subject
from foveate.pipeline.files import write_text
from foveate.pipeline.text import parse_size

Format = Literal["onnx", "openvino", "torch-export", "torchscript"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
ACCEPTED: dict[str, tuple[str, ...]] = {
    "onnx": ("fp32", "fp16", "int8"),  # ONNX Runtime has no convolution in bfloat16 on CPUs
    "openvino": ("fp32", "fp16", "bf16", "int8"),
    "torch-export": ("fp32", "fp16", "bf16"),
    "torchscript": ("fp32", "fp16", "bf16"),
}
DYNAMIC = "dynamic"
STEP = 32  # a file for any size is first tried at multiples of this
ODD = (101, 75)  # and then at a size that is a multiple of nothing
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
Tell = Callable[[str], None]


class ParityError(CheckpointError):
    """The exported file does not give the answers of the model."""

    code_name = "parity"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be exported, and how.

    Attributes:
        format: onnx, openvino, torch-export or torchscript.
        precision: fp32, fp16, bf16 or int8.
        size: HEIGHTxWIDTH, or dynamic; None for the size at which the model is evaluated.
        argmax: Whether the file gives class numbers instead of logits.
        licence: Of the weights.
        out: The file to write.
        force: Keep a file that fails the check, under another name.
    """

    format: str = "onnx"
    precision: str = "fp32"
    size: str | None = None
    argmax: bool = False
    licence: str = "not stated"
    out: Path
    force: bool = False

    def check(self) -> None:
        """Check that the parts of the order go together.

        Raises:
            ConfigError: They do not.
        """
        if self.precision not in ACCEPTED[self.format]:
            raise ConfigError(
                f"export --format {self.format} takes --precision {', '.join(ACCEPTED[self.format])}, not "
                f"{self.precision}"
            )
        if self.out.suffix != ENDINGS[self.format]:
            raise ConfigError(f"--out {self.out}: a file of {self.format} ends with {ENDINGS[self.format]}")
        if self.size not in (None, DYNAMIC):
            parse_size(str(self.size))


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        contract: What it takes and gives.
        agreements: With PyTorch, at each size.
    """

    path: Path
    contract: Contract
    agreements: list[Agreement]

    def as_values(self) -> dict[str, Any]:
        """The file, its megabytes, the sizes that it takes, what it gives, and how it agrees with PyTorch."""
        told = {"takes": self.contract.sizes, "gives": self.contract.output, "megabytes": _size_on_disk(self.path)}
        return {**as_json(self.agreements, self.contract.precision, str(self.path)), **told}


def export(subject: Subject, order: Order, samples: Sequence[Sample], tell: Tell = print) -> Exported:
    """Write, check and test a file.

    Args:
        subject: The trained model.
        order: What to write.
        samples: Real images, on which the file is checked; for int8 also those that give the ranges.
        tell: Called with each line for the user.

    Raises:
        ConfigError: The network cannot be exported so.
        ParityError: The file does not agree with PyTorch; with `order.force` it is kept under another name.
    """
    order.check()
    base = _base_size(subject, order, samples)
    sizes = [base, _other_size(base)] if order.size == DYNAMIC else [base]
    order.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=order.out.parent) as folder:
        path = Path(folder) / order.out.name
        for level in range(len(LEVELS) if order.precision == "int8" else 1):
            draft = _draft(subject, order, samples, base, level, path)
            done = _checked(subject, order, samples, sizes, draft)
            passed = all(one.passes(order.precision) for one in done.agreements)
            if order.precision == "int8":
                tell(f"int8 in {LEVELS[level]}: {'agrees' if passed else 'falls short'}")
            if passed:
                break
        tell(as_table(done.agreements))
        kept = _keep(draft, done, samples, order, passed=passed)
    tell(f"{kept.path}: {_size_on_disk(kept.path):.1f} MB, takes {kept.contract.sizes}, gives {kept.contract.output}")
    return kept


def _base_size(subject: Subject, order: Order, samples: Sequence[Sample]) -> Size:
    """The size at which the file is checked first: the one asked for, the model's window, or that of the images."""
    if order.size not in (None, DYNAMIC):
        return parse_size(str(order.size))
    inference = subject.model.evaluation.get("inference") or {}
    height, width = inference["size"] if inference.get("mode") == "slide" else samples[0].size
    if order.size is None:
        return int(height), int(width)
    return max(STEP, height // STEP * STEP), max(STEP, width // STEP * STEP)


def _other_size(size: Size) -> Size:
    """About three quarters of a size; both sides change."""
    height, width = (max(STEP, round(0.75 * side / STEP) * STEP) for side in size)
    return (height if height != size[0] else height + STEP), (width if width != size[1] else width + STEP)


def _draft(subject: Subject, order: Order, samples: Sequence[Sample], size: Size, level: int, path: Path) -> Draft:
    """The graph in its format."""
    model, dynamic = subject.model, order.size == DYNAMIC
    images = samples[0].resized(size).image.repeat(2, 1, 1, 1)
    half = order.format == "openvino" and order.precision in ("fp16", "bf16")
    dtype = torch.float32 if half else DTYPES[order.precision]  # OpenVINO converts weights itself
    mean, std = model.normalise.mean, model.normalise.std
    graph = ExportGraph(model.network, model.normalise(images), mean, std, argmax=order.argmax, dtype=dtype).eval()
    if order.format == "torch-export":
        return convert_program(graph, images, path, dynamic=dynamic)
    if order.format == "torchscript":
        return convert_script(graph, images, path)
    written = convert_onnx(graph, images, LABELS if order.argmax else LOGITS, dynamic=dynamic)
    if order.precision == "int8":
        written = quantise(written, samples, size, level)
    if order.format == "openvino":
        return convert_openvino(strip(written), path, half=half)
    return OnnxDraft(strip(written), path)


def _checked(subject: Subject, order: Order, samples: Sequence[Sample], sizes: list[Size], draft: Draft) -> Exported:
    """The file with a contract, and its agreement with PyTorch."""
    contract = subject.contract(
        output=LABELS if order.argmax else LOGITS,
        precision=order.precision,
        size=None if order.size == DYNAMIC else sizes[0],
        licence=order.licence,
    )
    contract = replace(
        contract,
        versions=current_versions(*([PACKAGES[order.format]] if order.format in PACKAGES else [])),
        runtime_hints=hints_of(order.precision) if order.format == "openvino" else {},
    )
    draft.seal(contract.as_json())
    agreements = [compare(subject.model, open_exported(draft.path), samples, size) for size in sizes]
    if order.size == DYNAMIC and not _takes_odd(subject.model, draft.path, samples[0], order.precision):
        contract = replace(contract, multiple_of=STEP)
    return Exported(draft.path, contract, agreements)


def _takes_odd(model: Callable[[Tensor], Tensor], path: Path, sample: Sample, precision: str) -> bool:
    """Whether a file for any size also gives the model's answers where sides are multiples of nothing."""
    try:
        return compare(model, open_exported(path), [sample], ODD).passes(precision)
    except Exception:  # of the runtime, or of the network itself
        return False


def _keep(draft: Draft, done: Exported, samples: Sequence[Sample], order: Order, *, passed: bool) -> Exported:
    """Give the file its self-test and its place, with parity.json and check_model.py beside it.

    Raises:
        ParityError: The file does not agree with PyTorch, and is not to be kept.
    """
    name = order.out.name if passed else f"{order.out.stem}.failed{order.out.suffix}"
    target = order.out.with_name(name)
    report = as_json(done.agreements, order.precision, name)
    write_text(target.with_suffix(".parity.json"), json.dumps(report, indent=1) + "\n")
    least = min(one.equal for one in done.agreements)
    fault = f"the file agrees with PyTorch on {least:.2%} only; limits are in {target.with_suffix('.parity.json')}"
    if not passed and not order.force:
        raise ParityError(f"{fault}; nothing is kept (--force keeps it as {name})")
    draft.seal(done.contract.as_json())
    test = create_self_test(open_exported(draft.path), samples, draft.payload())
    contract = done.contract.with_test(test)
    draft.seal(contract.as_json())
    for file in list(draft.path.parent.iterdir()):
        shutil.move(file, target.with_suffix(file.suffix))
    shutil.copyfile(check_model.__file__, target.with_name("check_model.py"))
    if not passed:
        raise ParityError(f"{fault}; kept as {target}")
    return Exported(target, contract, done.agreements)


def _size_on_disk(path: Path) -> float:
    """Megabytes of a file, with the weights beside it."""
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return sum(file.stat().st_size for file in files) / 1e6
