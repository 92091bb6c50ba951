"""Table row: Cityscapes' official score of label files, all four figures."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.datasets.synthetic import write_scenes
from foveate.pipeline.scoring.conventions import convention_of
from foveate.pipeline.scoring.counting import count_frames
from foveate.pipeline.scoring.figures import official_figures
from foveate.pipeline.scoring.frames import cityscapes_labels, pair_cityscapes
from foveate.pipeline.scoring.official import score_officially
from foveate.pipeline.startup import keep_freed_memory

SIZE, SCENES, FRAMES = (1024, 2048), 10, 100
WITH_INSTANCES = range(24, 34)
SQUARE = 224  # pixels; objects are cut into such squares, so that there are about as many as in Cityscapes (19)
SHIFT, NOISE = (6, -9), 0.01  # how predictions differ from labels: moved, and some pixels of another label


def run(settings: Settings) -> Result:
    """The official scorer and ours on the same files, after a look whether their figures are the same."""
    cv2.setNumThreads(1)
    keep_freed_memory()  # as our command does; the peer in the same process gains by it too
    root = make_frames(settings.out / "scoring")
    theirs, mine = by_peer(root), by_ours(root)
    assert abs(theirs["averageScoreInstClasses"] - mine["mean_iiou"]) < 1e-9
    assert abs(theirs["averageScoreCategories"] - mine["levels"]["categories"]["miou"]) < 1e-9
    candidates = {"cityscapesscripts": lambda: by_peer(root), "ours": lambda: by_ours(root)}
    seconds = alternate(candidates, rounds=settings.times(3), warmup=0)
    what = (
        f"{FRAMES} frames of {SIZE[1]} x {SIZE[0]} from PNG files in the page cache, labels, instance ids and "
        "predictions: class and category IoU and iIoU. One thread for both; on average "
        f"{instances_of(root):.0f} instances in a frame. The figures are equal."
    )
    return Result("scoring", "Official score", what, seconds, [Goal("100 frames", "cityscapesscripts", "ours", 5.0)])


def make_frames(root: Path) -> Path:
    """Drawn scenes with instance ids, and predictions that differ from them; made once."""
    if (root / "made").is_file():
        return root
    write_scenes(root, train=0, val=SCENES, height=SIZE[0], width=SIZE[1])
    for label in sorted((root / "gtFine").rglob("*_labelIds.png")):
        write_others(root, label)
    copy_frames(root)
    (root / "made").touch()
    return root


def write_others(root: Path, label: Path) -> None:
    """Instance ids and a prediction for a label map."""
    truth = np.array(Image.open(label))
    rng = np.random.default_rng(int(truth.sum()))
    numbered = truth.astype(np.uint16)
    rows, columns = (np.arange(size) // SQUARE for size in SIZE)
    squares = rows[:, None] * (columns.max() + 1) + columns
    for number in WITH_INSTANCES:
        numbered[truth == number] = 1000 * number + 1 + squares[truth == number]
    Image.fromarray(numbered).save(str(label).replace("labelIds", "instanceIds"))
    predicted = np.roll(truth, SHIFT, (0, 1))
    noisy = cv2.resize((rng.random((64, 128)) < NOISE).astype(np.uint8), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    predicted[noisy == 1] = 11
    (root / "predictions").mkdir(exist_ok=True)
    Image.fromarray(predicted).save(root / "predictions" / label.name.replace("gtFine", "pred"))


def copy_frames(root: Path) -> None:
    """The same files under further names, up to the number of frames."""
    files = [*(root / "gtFine").rglob("*.png"), *(root / "predictions").glob("*.png")]
    for file in files:
        city, _, *rest = file.name.split("_")
        for copy in range(1, FRAMES // SCENES):
            shutil.copyfile(file, file.with_name("_".join((city, f"{copy:06d}", *rest))))


def instances_of(root: Path) -> float:
    """The mean number of instances in a frame."""
    counts = count_frames(
        pair_cityscapes(labels_of(root), root / "predictions"), convention_of("cityscapes", "regular", None)
    )
    assert counts.owners is not None
    return len(counts.owners) / FRAMES


def labels_of(root: Path) -> list[Path]:
    """The label maps."""
    return cityscapes_labels(root, "val")


def by_ours(root: Path) -> dict[str, Any]:
    """Our figures, the search for files included."""
    convention = convention_of("cityscapes", "regular", None)
    counts = count_frames(pair_cityscapes(labels_of(root), root / "predictions"), convention)
    return official_figures(score_officially(counts), counts, convention)


def by_peer(root: Path) -> dict[str, Any]:
    """The official scorer's figures, its search for predictions included."""
    np.in1d = np.isin  # noqa: NPY201  which it calls, and NumPy 2.4 no longer has
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as scorer

    args = scorer.args
    args.evalInstLevelScore, args.quiet, args.JSONOutput = True, True, False
    args.predictionPath, args.predictionWalk = str(root / "predictions"), None
    labels = [str(label) for label in labels_of(root)]
    with redirect_stdout(io.StringIO()):
        return scorer.evaluateImgLists([scorer.getPrediction(args, label) for label in labels], labels, args)
