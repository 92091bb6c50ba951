"""Table row: counting a confusion matrix of 19 classes over 2 megapixels."""

from __future__ import annotations

import torch
from torch import Tensor

from foveate.benchmarks.pairing import alternate
from foveate.benchmarks.peaks import waiter
from foveate.benchmarks.results import Goal, Result, Settings
from foveate.pipeline.metrics.confusion import count_confusion

CLASSES, SIZE, IGNORE = 19, (1, 1024, 2048), 255


def run(settings: Settings) -> Result:
    """torchmetrics, mmseg and ours on the same maps, after a look whether they agree."""
    from torchmetrics.classification import MulticlassConfusionMatrix

    from foveate.benchmarks.peers import mmseg

    torch.set_num_threads(settings.threads)
    prediction, mask = (part.to(settings.device) for part in maps())
    metric = MulticlassConfusionMatrix(CLASSES, ignore_index=IGNORE, validate_args=False).to(settings.device)
    target = mask.long()
    candidates = {
        "torchmetrics": lambda: metric.update(prediction, target),
        "mmseg": lambda: mmseg.count(prediction, target, CLASSES, IGNORE),
        "ours": lambda: count_confusion(prediction, mask, CLASSES),
        "ours, labels int64": lambda: count_confusion(prediction, target, CLASSES),
    }
    check(candidates["ours"](), prediction, target)
    check(candidates["ours, labels int64"](), prediction, target)
    seconds = alternate(candidates, rounds=settings.times(60), warmup=5, after=waiter(settings.device))
    goals = [
        Goal("confusion update, 19 classes, 2 MP", "torchmetrics", "ours", 5.0),
        Goal("confusion update, 19 classes, 2 MP, labels int64", "torchmetrics", "ours, labels int64", 5.0),
        Goal("confusion update, 19 classes, 2 MP", "mmseg", "ours", 2.0),
    ]
    what = (
        "One image of 1024 x 2048, labels in blocks, 5 % ignored, predictions int64 as argmax gives them; labels int64 "
        "for the peers, which want them so, uint8 and int64 for ours. torchmetrics without its checks; "
        "mmseg's counts each class and no pairs."
    )
    return Result("confusion", "Confusion matrix", what, seconds, goals)


def maps() -> tuple[Tensor, Tensor]:
    """Predictions (int64), four fifths of them right, and labels (uint8), in blocks of 32 pixels as things are."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(CLASSES, (1, 1, SIZE[1] // 32, SIZE[2] // 32), generator=generator)
    mask = torch.nn.functional.interpolate(coarse.float(), size=SIZE[1:])[:, 0].long()
    other = torch.randint(CLASSES, SIZE, generator=generator)
    prediction = torch.where(torch.rand(SIZE, generator=generator) < 0.8, mask, other)
    mask[torch.rand(SIZE, generator=generator) < 0.05] = IGNORE
    return prediction, mask.to(torch.uint8)


def check(counted: Tensor, prediction: Tensor, target: Tensor) -> None:
    """Ours is the peers' too: all of torchmetrics' matrix, and mmseg's sums of it."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    from foveate.benchmarks.peers import mmseg

    theirs = multiclass_confusion_matrix(prediction, target, CLASSES, ignore_index=IGNORE)
    assert torch.equal(counted, theirs)
    right, _, predicted, labelled = mmseg.count(prediction, target, CLASSES, IGNORE)
    for sums, given in ((counted.diagonal(), right), (counted.sum(0), predicted), (counted.sum(1), labelled)):
        assert torch.equal(sums.cpu().double(), given.double())
