"""A tiny protocol, its data, and records that were made up without a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foveate.pipeline.leaderboard.figures import figures_of
from foveate.pipeline.leaderboard.protocol import Protocol, parse_protocol
from foveate.pipeline.leaderboard.record import FORMAT, Record, pack, seal
from foveate.tests.conftest import draw, save

ADAMW = {"name": "adamw", "lr": 1e-3}
CONTENT: dict[str, Any] = {
    "version": "tiny",
    "seeds": 2,
    "replayed": 2,
    "bounds": {"loss": 0.001, "score": 0.04},
    "recipes": {
        "camvid": {
            "steps": 3,
            "score": "mIoU",
            "data_sha256": "",
            "model": {"class_path": "SegmentationTask", "init_args": {"network": "segnext_t", "optimizer": ADAMW}},
            "data": {
                "class_path": "CamVidDataModule",
                "init_args": {"crop": [32, 32], "batch_size": 2, "num_workers": 0},
            },
            "trainer": {"precision": "32-true", "accelerator": "cpu"},
        }
    },
    "tracks": {"camvid-gate": {"recipe": "camvid", "slot": "gate"}},
}


def protocol() -> Protocol:
    return parse_protocol(CONTENT, "tiny")


def write_protocol(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(CONTENT))
    return path


def write_data(folder: Path) -> Path:
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            image, label = draw(48, 64, ids=(0, 3, 8, 11), seed=number + 100 * (split == "val"))
            save(image, folder / "camvid" / split / f"{number}.png")
            save(label, folder / "camvid" / f"{split}annot" / f"{number}.png")
    return folder


def confusions(seed: int, right: float, images: int = 12, classes: int = 3) -> np.ndarray:
    """Confusion matrices of some images, of which a share is right."""
    random = np.random.default_rng(seed)
    wrong = random.integers(0, 40, (images, classes, classes))
    return wrong + np.eye(classes, dtype=int) * random.integers(0, int(400 * right), (images, 1, classes))


def content(block: str = "se", seed: int = 0, right: float = 0.5) -> dict[str, Any]:
    """All parts of a record that is consistent in itself."""
    each = confusions(seed + 10 * len(block), right)
    rows = np.stack([np.concatenate([one.diagonal(), one.sum(1), one.sum(0)]) for one in each]).astype(np.float64)
    rules = protocol()
    return {
        "format": FORMAT,
        "protocol": {"version": rules.version, "sha256": rules.tracks["camvid-gate"].sha256},
        "track": "camvid-gate",
        "slot": "gate",
        "block": {"label": block, "spec": block, "providers": ["foveate 0.1.0"]},
        "seed": seed,
        "result": {
            **figures_of(rows, "mIoU", ["road", "car", "sky"]),
            "confusion": each.sum(0).tolist(),
            "images": pack(rows),
        },
        "training": {
            "steps": 3,
            "losses": [2.5, 2.25, 2.125],
            "last_loss": 2.25,
            "batches": ["a", "b", "c"],
            "cpu_seconds": 1.0,
        },
        "costs": {
            "parameters": 1000 + len(block),
            "macs": 2_000_000,
            "receptive_field": None,
            "limit": 1024,
            "step_ms": 12.0,
            "step_ratio": 1.25,
            "step_ratio_quartiles": [1.2, 1.3],
            "effective_field": 60.0,
        },
        "data": {"sha256": "0" * 64, "samples": {"train": 4, "val": 12}},
        "code": {"foveate": "f" * 16, "block": "b" * 16},
        "environment": {"threads": 1, "processor": "made up", "libraries": {"torch": "2.9"}},
    }


def record(block: str = "se", seed: int = 0, right: float = 0.5) -> Record:
    return Record(seal(content(block, seed, right)), f"{block}-{seed}.json")
