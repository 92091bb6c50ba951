"""A run directory with scores, a recipe that holds secrets and local paths, and what lies beside a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from foveate.pipeline.metrics.report import report_figures
from foveate.pipeline.provenance import KEY
from foveate.pipeline.runs.scores import Evaluation, write_scores
from foveate.tests.pipeline.predictor.models import segmenter

CANARIES = {
    "logger": "0123456789abcdef0123456789abcdef01234567",
    "option": "hunter2hunter2",
    "address": "ghp_canarycanarycanarycanary1234",
    "folder": "/home/jane.canary/secret-project",
}
OURS = {"distribution": "foveate", "version": "0.1.0", "entry_point": "blocks = foveate.plugins.attention"}


def recipe() -> dict[str, object]:
    folder = CANARIES["folder"]
    return {
        "seed_everything": 7,
        "model": {
            "class_path": "foveate.pipeline.segmentation.SegmentationTask",
            "init_args": {
                "network": "mobilenet_v2_035+light_ham",
                "weights": f"{folder}/mobilenet.pth",
                "loss": {"name": "ohem", "options": {"api_key": CANARIES["option"]}},
                "optimizer": {"name": "adamw", "lr": 0.001},
            },
        },
        "data": {
            "class_path": "foveate.datasets.camvid.CamVidDataModule",
            "init_args": {"root": f"{folder}/camvid", "cache_dir": f"{folder}/it", "crop": [32, 48], "batch_size": 2},
        },
        "trainer": {
            "max_steps": 40,
            "default_root_dir": f"{folder}/runs",
            "logger": {"init_args": {"entity": "jane.canary", "api_key": CANARIES["logger"]}},
            "callbacks": [{"init_args": {"url": f"https://jane:{CANARIES['address']}@example.invalid/hook"}}],
        },
        "plugins": [],
    }


def evaluation(split: str = "val") -> Evaluation:
    data = {"class": "CamVidDataModule", "root": f"{CANARIES['folder']}/camvid"}
    return Evaluation(
        checkpoint="camvid/0001/checkpoints/best.ckpt",
        step=1,
        split=split,
        scored_split=split,
        data=data,
        images=101,
        of_images=101,
        pixels=1000,
        settings={"engine": "torch", "precision": "32-true"},
    )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "camvid" / "0001"
    checkpoint = segmenter(folder / "checkpoints" / "best.ckpt", attention={"stage": "se"})
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, KEY: {"se": OURS}}, checkpoint)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe()))
    figures = {
        "interval": {"level": 0.95, "of": "images", "count": 101},
        "miou": 0.6121,
        "miou_interval": [0.58, 0.64],
        "macc": 0.71,
        "aacc": 0.9,
        "iou": {"sky": 0.9, "car": 0.5},
        "iou_interval": {"sky": [0.88, 0.92], "car": None},
        "accuracy": {"sky": 0.95, "car": 0.6},
        "pixels": {"sky": 600, "car": 400},
    }
    write_scores(folder, evaluation(), report_figures(figures))
    write_scores(folder, evaluation("test"), report_figures({**figures, "miou": 0.5432}))
    parity = {"file": "model.onnx", "passed": True, "precision": "fp32"}
    sizes = [{"size": [64, 96], "images": 8, "equal": 0.99987}]
    (folder / "checkpoints" / "model.parity.json").write_text(json.dumps({**parity, "sizes": sizes}))
    circumstances = {"first_step": 0, "libraries": {"torch": "2.9"}, "data": "fedcba", "plugins": {}}
    (folder / "run.json").write_text(json.dumps({"parts": [circumstances]}))
    return folder
