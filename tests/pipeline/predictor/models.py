"""Checkpoints with random weights, as `foveate fit` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import CAMVID
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.runs.checkpoints import RECIPE_KEY
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task import VisionTask
from foveate.pipeline.task_options import plain

PETS = ClassSet(name="pets", names=("cat", "dog", "fish", "bird", "horse", "cow"))
CAMVID_DATA = "foveate.datasets.camvid.CamVidDataModule"
FOLDER_DATA = "foveate.datasets.image_folder.ImageFolderDataModule"


def save_checkpoint(task: VisionTask, data: dict[str, Any], path: Path) -> Path:
    """A checkpoint of an untrained task."""
    state = {name: value.clone() for name, value in task.state_dict().items()}
    generator = torch.Generator().manual_seed(3)
    for name, value in state.items():  # so that classes differ from pixel to pixel
        if value.is_floating_point() and name.startswith("network.decoder") and value.ndim == 4:
            value += 0.3 * torch.randn(value.shape, generator=generator)
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments = {"network": task.hparams["network"], "inference": task.hparams.get("inference")}
    model = {"class_path": type(task).__name__, "init_args": {k: v for k, v in arguments.items() if v}}
    recipe = {"model": model, "data": data, "trainer": {"accelerator": "cpu"}}
    content = {"state_dict": state, "hyper_parameters": plain(dict(task.hparams)), RECIPE_KEY: recipe}
    torch.save({**content, "global_step": 1}, path)
    return path


def segmenter(path: Path, network: str = "mobilenet_v2_035+light_ham", **options: Any) -> Path:
    """A checkpoint of a segmenter of CamVid's classes."""
    torch.manual_seed(1)
    task = SegmentationTask(network=network, labels=CAMVID, **options)
    return save_checkpoint(task, {"class_path": CAMVID_DATA, "init_args": {}}, path)


def classifier(path: Path, **options: Any) -> Path:
    """A checkpoint of a classifier of six animals at 48 pixels."""
    torch.manual_seed(1)
    task = ClassificationTask(network="mobilenet_v2_035", labels=PETS)
    data = {"class_path": FOLDER_DATA, "init_args": {"image_size": 48, "crop_ratio": 0.875, **options}}
    return save_checkpoint(task, data, path)


def photo(size: tuple[int, int] = (70, 90), seed: int = 0) -> np.ndarray:
    """An image of smooth colours, (H, W, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC))
