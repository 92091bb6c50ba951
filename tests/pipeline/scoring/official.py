"""Made frames in Cityscapes' layout, and the official scorer on them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

CLASS_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
WITH_INSTANCES = (24, 25, 26, 27, 28, 29, 30, 31, 32, 33)
CITIES = ("aachen", "st-gallen", "Zürich", "x", "bad.city")
ENDINGS = (".png", "_pred_labelIds.png", "_leftImg8bit.png", "-v2.png", "*.png")


def scorer() -> ModuleType:
    """The official scorer; the test is skipped where it is not installed."""
    setattr(np, "in1d", np.isin)  # noqa: B010  which the scorer calls, and NumPy 2.4 no longer has
    return pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="needs the official scorer: pip install --no-deps cityscapesscripts==2.3.0 (make dev does)",
    )


def official_scores(labels: Sequence[Path], predictions: Path, *, instances: bool) -> dict[str, Any]:
    """What the official scorer says of all frames, its way of finding predictions included.

    Args:
        labels: Label maps.
        predictions: Folder of predictions.
        instances: Whether iIoU is computed.
    """
    module = scorer()
    args = module.args
    args.evalInstLevelScore, args.quiet, args.JSONOutput = instances, True, False
    args.predictionPath, args.predictionWalk = str(predictions), None
    with redirect_stdout(io.StringIO()):
        found = [module.getPrediction(args, str(label)) for label in labels]
        scores: dict[str, Any] = module.evaluateImgLists(found, list(map(str, labels)), args)
    return scores


def write(path: Path, pixels: np.ndarray) -> None:
    """A PNG of one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def made_set(root: Path, seed: int) -> tuple[Path, Path]:
    """A random set: the folders of its predictions and label maps.

    Classes are absent, predicted but never labelled, void on either side; instances are of any size, and some regions
    of classes with instances have none; names and folders of predictions vary.

    Args:
        root: Where to write.
        seed: Decides everything.
    """
    rng = np.random.default_rng(seed)
    height, width = map(int, rng.integers(1, 14, 2))
    kinds = rng.integers(0, 3, 2)
    labelled, predicted = (_some_ids(rng, int(kind)) for kind in kinds)
    for number in range(int(rng.choice([1, 1, 2, 3, 5]))):
        core = f"{rng.choice(CITIES)}_{number:06d}_{int(rng.integers(0, 10**6)):06d}"
        truth = rng.choice(labelled, (height, width)).astype(np.uint8)
        said = np.where(rng.random(truth.shape) < rng.random(), truth, rng.choice(predicted, truth.shape))
        city = core.split("_")[0]
        write(root / "gt" / city / f"{core}_gtFine_labelIds.png", truth)
        write(root / "gt" / city / f"{core}_gtFine_instanceIds.png", _instances(rng, truth))
        folder = root / "pred" / rng.choice([".", city, "deep/er"])
        write(folder / f"{core}{rng.choice(ENDINGS)}", said.astype(np.uint8))
    return root / "pred", root / "gt"


def _some_ids(rng: np.random.Generator, kind: int) -> np.ndarray:
    """A few ids: of classes with instances, of all classes, or of any, void included."""
    pool = (WITH_INSTANCES, CLASS_IDS, tuple(range(34)))[kind]
    return rng.choice(pool, int(rng.integers(1, min(12, len(pool)) + 1)), replace=False)


def _instances(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    numbered = np.isin(truth, WITH_INSTANCES) & (rng.random(truth.shape) < rng.choice([0.0, 0.7, 1.0]))
    return np.where(numbered, 1000 * truth.astype(np.uint16) + rng.integers(0, 4, truth.shape), truth).astype(np.uint16)


def differences(ours: dict[str, Any], official: dict[str, Any]) -> list[str]:
    """The figures that differ by more than 1e-9, or of which one is missing.

    Args:
        ours: The figures of `foveate score`.
        official: Those of the official scorer.
    """
    pairs = _pairs(ours, official)
    return [f"{name}: {mine} and {theirs}" for name, mine, theirs in pairs if not _same(mine, theirs)]


def _pairs(ours: dict[str, Any], official: dict[str, Any]) -> list[tuple[str, float | None, float]]:
    categories = ours["levels"]["categories"]
    found = [
        ("classes", ours["miou"], official["averageScoreClasses"]),
        ("categories", categories["miou"], official["averageScoreCategories"]),
    ]
    found += [(name, value, official["classScores"][name]) for name, value in ours["iou"].items()]
    found += [(name, value, official["categoryScores"][name]) for name, value in categories["iou"].items()]
    if "iiou" not in ours:
        return found
    found += [
        ("instances of classes", ours["mean_iiou"], official["averageScoreInstClasses"]),
        ("instances of categories", categories["mean_iiou"], official["averageScoreInstCategories"]),
    ]
    found += [(f"i {name}", value, official["classInstScores"][name]) for name, value in ours["iiou"].items()]
    return found + [
        (f"i {name}", value, official["categoryInstScores"][name]) for name, value in categories["iiou"].items()
    ]


def _same(ours: float | None, official: float) -> bool:
    return math.isnan(official) if ours is None else abs(ours - official) <= 1e-9
