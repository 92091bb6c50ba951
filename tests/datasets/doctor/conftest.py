"""A faultless data set in folders, into which tests plant one fault each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.doctor.collect import WHOLE, Look
from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.doctor.finding import Finding
from foveate.datasets.folder import FolderDataModule

NAMES = ("ground", "car", "tree")
SIZE = 96, 128
Diagnose = Callable[..., dict[str, Finding]]


def drawn(seed: int) -> np.ndarray:
    """A label map of large areas of 0, 1, 2 and a stripe of 255."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SIZE, dtype=np.uint8)
    top, left = (int(value) for value in rng.integers(5, 40, 2))
    mask[top : top + 40, left : left + 30] = 1
    mask[-30:, 60 + left : 90 + left] = 2
    mask[-2:] = 255
    return mask


def photograph(mask: np.ndarray, seed: int) -> np.ndarray:
    """An image of a label map: coloured areas, and a pattern of its own."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 120, (6, 8, 3), dtype=np.uint8)
    pattern = np.asarray(Image.fromarray(coarse).resize((mask.shape[1], mask.shape[0])))
    return (pattern + 40 * np.minimum(mask, 3)[..., None]).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six train and three val pairs."""
    folder = tmp_path / "set"
    for split, count, first in (("train", 6, 0), ("val", 3, 100)):
        for number in range(count):
            mask = drawn(first + number)
            for kind, pixels in (("images", photograph(mask, first + number)), ("masks", mask)):
                path = folder / kind / split / f"{split}{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    (folder / "classes.yaml").write_text(f"classes: [{', '.join(NAMES)}]\n")
    return folder


@pytest.fixture
def found(root: Path) -> Diagnose:
    """Checks the data set; the findings by their ids."""

    def check(look: Look = WHOLE, **options: Any) -> dict[str, Finding]:
        data = FolderDataModule(str(root), **{"crop": (64, 64), **options})
        return {finding.id: finding for finding in diagnose(data, look=look).findings}

    return check


def redraw(root: Path, change: Callable[[np.ndarray], np.ndarray], pattern: str = "masks/*/*.png") -> None:
    """Change what masks hold."""
    for path in sorted(root.glob(pattern)):
        Image.fromarray(change(np.array(Image.open(path)))).save(path)
