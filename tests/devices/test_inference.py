"""Answers on every device: the same logits whatever layout, engine or device, and a file that keeps them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.engines import create_engine
from foveate.pipeline.models import create_model
from foveate.tests.devices.conftest import off
from foveate.tests.devices.test_training import words_for

BOUND = 1e-3  # of the largest logit, in float32
pytestmark = pytest.mark.usefixtures("full_float32")
NETWORKS = ["segnext_t", "mobilenet_v2_100+smp:DeepLabV3Plus"]


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_do_not_depend_on_device_or_layout(name: str, device: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=5).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network(image)
        network.to(device)
        assert off(network(image.to(device)), expected) < BOUND
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        assert off(network(image.to(device, memory_format=torch.channels_last)), expected) < BOUND


def test_the_folded_engine_gives_the_networks_logits(device: str) -> None:
    torch.manual_seed(0)
    network = create_model("segnext_t", num_classes=5).eval().to(device)
    image = torch.randn(1, 3, 64, 64, device=device)
    with torch.inference_mode():
        expected = network(image)
        assert off(create_engine(network, image, engine="folded")(image), expected) < BOUND


COMPILED = """
import sys, torch
from foveate.pipeline.engines import create_engine
from foveate.pipeline.models import create_model

torch.manual_seed(0)
torch.set_float32_matmul_precision("highest")
network = create_model("segnext_t", num_classes=5).eval().to(sys.argv[1])
image = torch.randn(1, 3, 64, 64, device=sys.argv[1])
with torch.inference_mode():
    expected = network(image)
    given = create_engine(network, image, engine="compile")(image)
print(float((given - expected).abs().max() / expected.abs().max()))
"""


@pytest.mark.slow
def test_the_compiled_engine_gives_the_networks_logits(device: str) -> None:
    """In a process of its own: torch cannot compile what checks the shapes of tests."""
    done = subprocess.run([sys.executable, "-c", COMPILED, device], capture_output=True, text=True, check=True)
    assert float(done.stdout) < BOUND


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device, or none is shown: see make gpu")
def test_what_was_trained_on_a_gpu_is_exported_and_used_without_one(
    cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert main(words_for("mobilenet_v2_100+light_ham", "cuda", "16-mixed", 2, cityscapes_root)) == 0
    assert main(["validate", "--ckpt_path", "last", "--trainer.accelerator=cpu"]) == 0
    assert main(["export", "last", "--format", "onnx", "--size", "64x64", "--out", "model.onnx"]) == 0
