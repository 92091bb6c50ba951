"""Every format and precision: a file that agrees, runs, and tests itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from foveate import check
from foveate.pipeline.export.export import Order, export
from foveate.pipeline.export.quantise import kept_in_float
from foveate.pipeline.export.runtime import ENDINGS, open_exported

from .conftest import Made, unchecked

pytestmark = pytest.mark.slow
ORDERS = [
    ("openvino", "fp32"),
    ("openvino", "fp16"),
    ("openvino", "int8"),
    ("torch-export", "fp32"),
    ("torch-export", "bf16"),
    ("torchscript", "fp32"),
    ("onnx", "fp16"),
    ("onnx", "int8"),
]


@pytest.mark.parametrize(("format", "precision"), ORDERS)
def test_a_file_of_each_format_gives_the_model_s_answers(
    made: Made, tmp_path: Path, format: str, precision: str
) -> None:
    out = tmp_path / f"model{ENDINGS[format]}"
    order = Order(format=format, precision=precision, size="dynamic", out=out)
    with unchecked():
        export(made.subject, order, made.samples, tell=lambda _: None)
    model = open_exported(out)
    assert model.contract.precision == precision
    image = made.samples[0].image[None]
    with torch.no_grad():
        labels = made.subject.model(image).argmax(1).numpy()
    assert np.mean(model(image).argmax(1) == labels) > 0.95
    assert check.main([str(out)]) == 0


@pytest.mark.parametrize("format", ["openvino", "torch-export"])
def test_a_fixed_size_and_labels_go_together_in_each_format(made: Made, tmp_path: Path, format: str) -> None:
    out = tmp_path / f"model{ENDINGS[format]}"
    export(made.subject, Order(format=format, size="64x96", argmax=True, out=out), made.samples, tell=lambda _: None)
    given = open_exported(out)(np.zeros((2, 3, 64, 96), dtype=np.uint8))
    assert (given.shape, given.dtype) == ((2, 64, 96), np.uint8)


def test_damaged_weights_of_openvino_are_found(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model.xml"
    export(made.subject, Order(format="openvino", size="64x96", out=out), made.samples, tell=lambda _: None)
    weights = bytearray(out.with_suffix(".bin").read_bytes())
    weights[: len(weights) // 2] = bytes(len(weights) // 2)
    out.with_suffix(".bin").write_bytes(weights)
    done = subprocess.run([sys.executable, str(tmp_path / "check_model.py"), str(out)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "WRONG its bytes are not those exported" in done.stderr
    assert "of the labels right" in done.stderr


def test_a_factorisation_stays_in_float() -> None:
    from foveate.pipeline.export.formats.onnx_file import convert_onnx
    from foveate.pipeline.export.graph import ExportGraph
    from foveate.pipeline.models import create_model

    torch.manual_seed(0)
    network = create_model("mobilenet_v2_035+light_ham", num_classes=3, decoder={"channels": 32, "rank": 4}).eval()
    graph = ExportGraph(network, torch.zeros(1, 3, 64, 64), torch.zeros(3), torch.ones(3)).eval()
    image = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    with unchecked():
        model = convert_onnx(graph, image, "logits", dynamic=False)
    products = {node.name for node in model.graph.node if node.op_type == "MatMul"}
    assert products
    assert products <= set(kept_in_float(model, 0))
    first, last = kept_in_float(model, 1)[-2:]
    layers = [node.name for node in model.graph.node if node.op_type == "Conv"]
    assert (first, last) == (layers[0], layers[-1])
    assert len(kept_in_float(model, 2)) > len(kept_in_float(model, 1))
