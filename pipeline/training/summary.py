"""The end of a run: scores on the screen and in files, and where everything is."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as L

from foveate.pipeline.curves import draw_curves
from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.reports import print_scores, scores_as_markdown, write_scores
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.training.request import Request
from foveate.pipeline.training.runs import CHECKPOINTS


def report_scores(request: Request, task: SegmentationTask) -> None:
    """Print the scores of an evaluation and write them beside the checkpoint's run."""
    if task.scores is None:
        return
    split = "val" if request.command == "validate" else "test"
    print_scores(task.scores, task.labels.names, f"{split}, {request.checkpoint}")
    if request.run is not None and request.checkpoint is not None:
        path = request.run / f"{split}-{request.checkpoint.stem}.json"
        write_scores(path, task.scores, task.labels.names)
        print(f"scores written to {path}", flush=True)


def summarise(run: Path, task: SegmentationTask, trainer: L.Trainer) -> None:
    """Print the last validation of a training, write summary.md and curves.png, and say where everything is."""
    log = read_log(run / "metrics.csv")
    history = [float(row["val/miou"]) for row in log if row.get("val/miou")]
    lines = [f"# {run.parent.name} {run.name}", "", f"{trainer.global_step} steps."]
    if history:
        lines += [f"Val mIoU {100 * history[-1]:.1f} % at the end, {100 * max(history):.1f} % at best."]
    if task.scores is not None:
        print_scores(task.scores, task.labels.names, f"val after step {trainer.global_step}")
        write_scores(run / "val-last.json", task.scores, task.labels.names)
        lines += ["", scores_as_markdown(task.scores, task.labels.names)]
    if draw_curves(log, run / "curves.png"):
        lines += ["", "![loss and mIoU by step](curves.png)"]
    (run / "summary.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _tell(run, history)


def _tell(run: Path, history: list[float]) -> None:
    best = run / CHECKPOINTS / "best.ckpt"
    if history and best.is_file():
        print(f"best val mIoU {100 * max(history):.1f} %: {best}")
    written = ("summary.md", "curves.png", "metrics.csv", "overlays", "recipe.yaml")
    there = [name for name in written if (run / name).exists()]
    print(f"in {run}: {', '.join(there)}", flush=True)
