"""Parts that learn later are kept in step between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Each process has data of its own; weights agree only if gradients are exchanged from the step of thawing on.
PROGRAM = """
import gc, sys, torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from foveate.pipeline.optimisation.freezing import Freezing
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer

dist.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=int(sys.argv[2]), world_size=2)
torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
freezing = Freezing(network, {"parts": "0,1", "until_step": 1})
wrapped = DistributedDataParallel(network, find_unused_parameters=True)
optimizer = create_optimizer(network, OptimizerConfig(lr=0.1))
torch.manual_seed(int(sys.argv[2]))
starts = [p.detach().clone() for p in network.parameters()]
freezing.apply(network, 0)
for step in range(3):
    freezing.follow(network, step)
    optimizer.zero_grad()
    wrapped(torch.randn(2, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    if step == 0:
        assert all(torch.equal(p, start) for p, start in zip(network[:2].parameters(), starts))
assert not torch.equal(network[0].weight, starts[0])
mine = torch.cat([p.detach().flatten() for p in network.parameters()])
both = [torch.empty_like(mine) for _ in range(2)]
dist.all_gather(both, mine)
assert torch.equal(*both), (both[0] - both[1]).abs().max()
del wrapped  # it holds the group: Gloo's threads would outlive the interpreter, and abort the process
gc.collect()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_thawed_parts_get_the_mean_gradient_of_all_processes(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "meeting"), str(rank)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
