"""RepVGG of timm: trains with its branches, runs and is exported with them merged, with SE inside too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.export.graph import ExportGraph
from foveate.pipeline.models import create_model
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer

NETWORKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "plain": ("timm:repvgg_a0", {}, {}),
    "SE in each block": ("timm:repvgg_a0", {"attn_layer": "se"}, {}),
    "a segmenter": ("timm:repvgg_a0+light_ham", {"encoder": {"attn_layer": "se"}}, {"stage": "se"}),
}


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    """A network after a step, whose batch norms have seen images."""
    name, options, attention = NETWORKS[request.param]
    torch.manual_seed(0)
    network = create_model(name, num_classes=4, attention=attention, **options).train()
    optimizer = create_optimizer(network, OptimizerConfig(lr=1e-3), fused=False)
    image = torch.rand(2, 3, 64, 64)
    branches = [value for name, value in network.named_parameters() if ".conv_kxk." in name or ".conv_1x1." in name]
    before = [value.detach().clone() for value in branches]
    logits = network(image)
    nn.functional.cross_entropy(logits, torch.zeros(2, *logits.shape[2:], dtype=torch.long)).backward()
    optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, branches, strict=True))
    return network.eval(), torch.rand(1, 3, 64, 64)


def branches(network: nn.Module) -> int:
    """How many blocks still have more than one branch."""
    return sum(getattr(module, "conv_1x1", None) is not None for module in network.modules())


def test_the_folded_engine_merges_branches(trained: tuple[nn.Module, Tensor]) -> None:
    network, image = trained
    folded = fold(network, image)
    assert (branches(network), branches(folded)) == (22, 0)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(image), network(image), atol=1e-4, rtol=1e-4)


def test_squeeze_and_excitation_stays(trained: tuple[nn.Module, Tensor]) -> None:
    network, image = trained
    count = [
        sum(type(part).__name__ == "SEModule" for part in one.modules()) for one in (network, fold(network, image))
    ]
    assert count[0] == count[1]


@pytest.mark.slow
def test_the_exported_graph_gives_the_same(trained: tuple[nn.Module, Tensor]) -> None:
    network, pixels = trained
    image = (255 * pixels).to(torch.uint8)
    mean, std = torch.full((3,), 124.0), torch.full((3,), 58.0)
    normalised = (image.float() - 124) / 58
    graph = ExportGraph(network, normalised, mean, std).eval()
    exported = torch.export.export(graph, (image,)).module()
    assert branches(graph) == 0
    with torch.no_grad():
        expected = network(normalised)
        torch.testing.assert_close(exported(image), expected, atol=1e-4, rtol=1e-4)
