"""Two processes count what one counts: every state, scalar and table is the same to the last digit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import json, pathlib, sys, warnings, torch
import torch.distributed as dist
from foveate.pipeline.metrics.create import MEANT, create_metrics

warnings.simplefilter("ignore")
rank, world, meeting = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if world > 1:
    dist.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=world)
random = torch.Generator().manual_seed(0)
maps = torch.nn.functional.interpolate(3 * torch.randn(5, 7, 4, 5, generator=random), size=(33, 41), mode="bilinear")
labels = (maps + 2 * torch.rand(maps.shape, generator=random)).argmax(1).to(torch.uint8)
labels[:, :4, :9] = 255
labels[3] = 255
data = {"segmentation": (maps, labels), "classification": (maps.mean((2, 3)), labels[:, 20, 20].clamp(max=6).long())}
said = {}
for task, (logits, truth) in data.items():
    for name, metric in create_metrics(MEANT[task], 7, task=task).items():
        if world > 1:
            for number in range(rank, 5, world):
                metric.update(logits[number : number + 1], truth[number : number + 1])
        else:
            metric.update(logits[:2], truth[:2])
            metric.update(logits[2:], truth[2:])
        value = metric.compute().item()
        with metric.sync_context():
            states = {state: getattr(metric, state).flatten().tolist() for state in metric._defaults}
            tables = [[table.name, table.as_json()] for table in metric.tables(list("abcdefg"))]
        said[f"{task} {name}"] = [repr(value), states, tables]
pathlib.Path(f"{meeting}-{world}-{rank}").write_text(json.dumps(said))  # too much for a pipe
if world > 1:
    dist.barrier()
    dist.destroy_process_group()
"""


def evaluate(folder: Path, world: int) -> list[dict[str, Any]]:
    """What each process says of each metric: scalar, states and tables."""
    meeting = folder / "meeting"
    words = [[sys.executable, "-c", PROGRAM, str(rank), str(world), str(meeting)] for rank in range(world)]
    processes = [subprocess.Popen(given, stderr=subprocess.PIPE, text=True) for given in words]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [json.loads(Path(f"{meeting}-{world}-{rank}").read_text()) for rank in range(world)]


def test_two_processes_count_what_one_counts(tmp_path: Path) -> None:
    (alone,) = evaluate(tmp_path, 1)
    assert len(alone) == 10
    for said in evaluate(tmp_path, 2):
        for name, (value, states, tables) in said.items():
            assert states == alone[name][1], name
            assert (value, tables) == (alone[name][0], alone[name][2]), name
