"""Two processes, one of them short of an image, give the losses and metrics of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# A process that is short of an image gets a blank. The loss and the metric of the example know no label but 255.
PROGRAM = """
import json, sys, torch
import torch.distributed as dist
from my_parts import Brier, MulticlassAccuracy
from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import CAMVID
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.segmentation import SegmentationTask

rank, world, meeting, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
if world > 1:
    dist.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=world)
random = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (3, 3, 32, 32), generator=random, dtype=torch.uint8)
masks = torch.randint(0, 11, (3, 32, 32), generator=random, dtype=torch.uint8)
masks[1, 3:] = 255
blank, said = torch.full_like(masks[:1], 255), []
classes, toy = torch.tensor([0, 2, 1]), ClassSet(name="toy", names=tuple("abc"))
for kind, labels, key, truth, none in (
    (SegmentationTask, CAMVID, "mask", masks, blank),
    (ClassificationTask, toy, "label", classes, torch.tensor([-1])),
):
    torch.manual_seed(0)
    network = "mobilenet_v2_035" + "+light_ham" * (key == "mask")
    task = kind(network=network, labels=labels, metrics=["calibration_error"]).eval()
    task.loss = Brier()
    task.reported["top2"] = MulticlassAccuracy(
        len(labels), top_k=2, average="micro", ignore_index=255, validate_args=False
    )
    task.reset_scores()
    with torch.no_grad():
        for number in range(rank, -(-count // world) * world, world):
            one = truth[number : number + 1] if number < count else none
            index = number if number < count else 0
            task.validation_step({"image": images[index : index + 1], key: one, "path": [""]}, number)
    said += [metric.compute().item() for metric in (task.mean_loss, *task.reported.values())]
print("RESULT", json.dumps(said))
if world > 1:
    dist.barrier()  # neither leaves while the other still reads
    dist.destroy_process_group()
"""


def evaluate(folder: Path, parts: Path, world: int, count: int) -> list[list[float]]:
    """What each process says: mean loss and metrics of a segmenter, then of a classifier."""
    program = f"import sys; sys.path.insert(0, {str(parts)!r})\n{PROGRAM}"
    words = [[sys.executable, "-c", program, str(rank), str(world), str(folder / "meeting")] for rank in range(world)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen([*given, str(count)], stdout=pipe, stderr=pipe, text=True) for given in words]
    said = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        said.append(json.loads(output.split("RESULT")[1]))
    return said


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 1])
def test_a_process_short_of_an_image_changes_no_loss_and_no_metric(tmp_path: Path, root: Path, count: int) -> None:
    parts = root / "examples" / "parts"
    (alone,) = evaluate(tmp_path, parts, 1, count)
    for said in evaluate(tmp_path, parts, 2, count):
        assert said == pytest.approx(alone, rel=1e-5)
