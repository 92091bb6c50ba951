"""The end of a run: scores on the screen and in files."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as L

from foveate.pipeline.loggers.csv import read_log
from foveate.pipeline.metrics import Scores
from foveate.pipeline.reports import print_scores, write_scores
from foveate.pipeline.training.request import Request
from foveate.pipeline.training.runs import CHECKPOINTS


def report_scores(request: Request, model: L.LightningModule) -> None:
    """Print the scores of an evaluation and write them beside the checkpoint's run."""
    scores: Scores = model.scores  # type: ignore[assignment]
    names: tuple[str, ...] = model.labels.names  # type: ignore[union-attr,assignment]
    split = "val" if request.command == "validate" else "test"
    print_scores(scores, names, f"{split}, {request.checkpoint}")
    if request.run is not None and request.checkpoint is not None:
        path = request.run / f"{split}-{request.checkpoint.stem}.json"
        write_scores(path, scores, names)
        print(f"scores written to {path}", flush=True)


def summarise(run: Path, model: L.LightningModule, trainer: L.Trainer) -> None:
    """Print the last validation of a training, and say where everything is."""
    scores: Scores | None = getattr(model, "scores", None)
    if scores is not None:
        names: tuple[str, ...] = model.labels.names  # type: ignore[union-attr,assignment]
        print_scores(scores, names, f"val after step {trainer.global_step}")
        write_scores(run / "val-last.json", scores, names)
    best = run / CHECKPOINTS / "best.ckpt"
    history = [float(row["val/miou"]) for row in read_log(run / "metrics.csv") if row.get("val/miou")]
    if history and best.is_file():
        print(f"best val mIoU {100 * max(history):.1f} %: {best}", flush=True)
    print(f"curves: {run / 'metrics.csv'}; overlays: {run / 'overlays'}; recipe: {run / 'recipe.yaml'}", flush=True)
