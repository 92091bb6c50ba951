"""`--model.compile` reaches the operators of every family of networks, however they call their parts."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.compiling import require_compiler

SEGMENTERS = ["segnext_t", "mobilenet_v2_050+light_ham", "timm:resnet10t+smp:Unet"]
CLASSIFIERS = ["vit_ti", "mobilenet_v2_050", "mscan_t", "van_b0", "timm:test_vit"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_training_without_a_compiler_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -pipe")
    words = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--config", "digits_vit_ti", "--model.compile", "true", *words]) == 2
    error = capsys.readouterr().err
    assert "there is no 'no-such-compiler -pipe'; install one" in error
    assert "or leave out --model.compile" in error


@pytest.mark.parametrize(("words", "there"), [("sh", True), ("sh -c", True), ("no-such-compiler", False)])
@pytest.mark.parametrize(("device", "variable"), [("cpu", "CXX"), ("cuda", "CC")])
def test_the_compiler_is_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, device: str, variable: str, words: str, there: bool
) -> None:
    monkeypatch.setattr("foveate.pipeline.models.compiling.find_spec", lambda name: True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv(variable, words)
    with nullcontext() if there else pytest.raises(ConfigError, match=rf"torch\.compile needs .* {variable}, or wait"):
        require_compiler(torch.device(device), "wait")
    require_compiler(torch.device("mps"), "wait")


def test_without_triton_nothing_is_compiled_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.pipeline.models.compiling.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs Triton on a GPU, and there is none; pip install triton, or wait"):
        require_compiler(torch.device("cuda"), "wait")


SCRIPT = """
import json, sys
import torch
from foveate.pipeline.models import create_model
from foveate.pipeline.models.compiling import compile_network

graphs = []

def backend(graph, inputs):
    graphs.append(graph)
    return graph.forward

found = {}
for name in sys.argv[1:]:
    for way in ("forward", "decode") if "+" in name or "segnext" in name else ("forward",):
        network = create_model(name, num_classes=3).train()
        names = list(network.state_dict())
        graphs.clear()
        torch._dynamo.reset()
        compile_network(network, backend)
        (network if way == "forward" else network.decode)(torch.randn(2, 3, 224, 224))
        assert names == list(network.state_dict())
        found[f"{name}, {way}"] = sum(node.op.startswith("call") for graph in graphs for node in graph.graph.nodes)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_family_is_compiled() -> None:
    """In a process of its own: torch cannot compile what checks the shapes of tests."""
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT, *SEGMENTERS, *CLASSIFIERS]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found) == 2 * len(SEGMENTERS) + len(CLASSIFIERS)
    assert min(found.values()) > 50, found  # operators in the graphs that were compiled


RECOMPUTED = """
import sys
import torch
from foveate.pipeline.models import create_model
from foveate.pipeline.models.checkpointing import checkpoint_activations
from foveate.pipeline.models.compiling import compile_network

def still(network):
    for module in network.modules():  # what draws random numbers does so in another order when compiled
        if type(module).__name__ in ("Dropout", "Dropout2d", "DropPath"):
            for rate in ("p", "drop_prob", "rate"):
                if hasattr(module, rate):
                    setattr(module, rate, 0.0)
    return network

for name in sys.argv[1:]:
    torch._dynamo.reset()
    options = {"drop_path": 0.0} if name in ("segnext_t", "mscan_t", "van_b0") else {}
    # in double precision: in single, rounding takes a ReLU to the other side of 0 in one of ten draws
    plain, other = (still(create_model(name, num_classes=3, **options).train().double()) for _ in range(2))
    other.load_state_dict(plain.state_dict())
    checkpoint_activations(other)
    compile_network(other, "aot_eager")
    side = 224 if "vit" in name else 64
    image = torch.randn(2, 3, side, side).double()
    for network in (plain, other):
        torch.manual_seed(1)  # bases
        network(image).square().mean().backward()
    pairs = [(p.grad, q.grad) for p, q in zip(plain.parameters(), other.parameters()) if p.grad is not None]
    wanted, got = (torch.cat([grad.flatten() for grad in side]) for side in zip(*pairs))
    assert (got - wanted).norm() < 1e-6 * wanted.norm(), name
    for (key, one), two in zip(plain.named_buffers(), other.buffers()):
        torch.testing.assert_close(one, two, msg=f"{name}, {key}")
"""


@pytest.mark.slow
def test_a_compiled_network_recomputes_its_blocks_and_counts_a_batch_once() -> None:
    words = [sys.executable, "-W", "ignore", "-c", RECOMPUTED]
    subprocess.run([*words, "segnext_t", "vit_ti", "mobilenet_v2_050", "mscan_t", "van_b0"], check=True)
