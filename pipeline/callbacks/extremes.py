"""Keeps small pictures of the worst and the best images of an evaluation, for the report."""

from __future__ import annotations

import base64
import heapq
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as L
import numpy as np
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

from foveate.datasets.labels import LabelSet
from foveate.datasets.pages.pictures import encode, shrink
from foveate.pipeline.callbacks.sample_drawer import pixels_of
from foveate.pipeline.files import write_text
from foveate.pipeline.per_image.gathering import below
from foveate.pipeline.per_image.rows import LABELLED, Columns

WORST, BEST = 6, 3  # how many of each
SIDE = 480  # pixels of a picture's longer side
FOLDER = "pictures"  # beside a score file, with a file of its name


@dataclass(frozen=True)
class Extreme:
    """One image, and how well it was predicted.

    Attributes:
        name: Its path, below the data's folder where it lies there.
        score: Its mIoU; of a classifier the negative loss.
        note: What was predicted, of a classifier.
        image: The address of a small picture inside a page.
        label: Train ids as the address of a grey PNG; empty for classifiers.
        prediction: The same of the prediction.
    """

    name: str
    score: float
    note: str
    image: str
    label: str = ""
    prediction: str = ""


@dataclass(frozen=True)
class Extremes:
    """The worst and the best images of an evaluation.

    Attributes:
        worst: The worst first.
        best: The best first.
        colours: Name and colour of each class; empty for classifiers.
    """

    worst: tuple[Extreme, ...] = ()
    best: tuple[Extreme, ...] = ()
    colours: tuple[tuple[str, tuple[int, int, int]], ...] = ()


class _Kept:
    """One image of a heap: ordered by score, then by turn."""

    def __init__(self, score: float, turn: int, content: dict[str, Any]) -> None:
        self.score, self.turn, self.content = score, turn, content

    def __lt__(self, other: _Kept) -> bool:
        return (self.score, self.turn) < (other.score, other.turn)


class ExtremeImages(Callback):
    """Keep the worst and the best images of each evaluation, reduced; of all processes in the first one.

    Attributes:
        found: The images of the last evaluation.
    """

    def __init__(self) -> None:
        self.found = Extremes()
        self._low: list[_Kept] = []
        self._high: list[_Kept] = []
        self._turn = 0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget what was kept."""
        self._low, self._high, self._turn = [], [], 0

    on_test_start = on_validation_start

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at the images of a batch."""
        parts = getattr(getattr(pl_module, "rows", None), "parts", None)
        if trainer.sanity_checking or not parts or not isinstance(outputs, Tensor):
            return
        columns, labels = parts[-1], pl_module.labels
        scores = _scores(columns, labels)
        for place, score in enumerate(scores):
            self._turn += 1
            if bool(columns[LABELLED][place]) and np.isfinite(score):
                self._consider(float(score), _Content(pl_module, batch, outputs, columns, place))

    on_test_batch_end = on_validation_batch_end

    def _consider(self, score: float, content: _Content) -> None:
        for heap, key, most in ((self._low, -score, WORST), (self._high, score, BEST)):
            if len(heap) < most:
                heapq.heappush(heap, _Kept(key, -self._turn, content.reduced()))
            elif key > heap[0].score:
                heapq.heapreplace(heap, _Kept(key, -self._turn, content.reduced()))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Bring the images of all processes together."""
        if trainer.sanity_checking:
            return
        root = getattr(getattr(trainer, "datamodule", None), "root", None)
        low, high = (_gathered(heap, most) for heap, most in ((self._low, WORST), (self._high, BEST)))
        shown = {kept.content["path"] for kept in low}
        high = [kept for kept in high if kept.content["path"] not in shown]  # of few images, none is shown twice
        labels = pl_module.labels
        colours = tuple(zip(labels.names, labels.colours, strict=True)) if isinstance(labels, LabelSet) else ()
        self.found = Extremes(
            tuple(_finished(kept, -kept.score, root) for kept in low),
            tuple(_finished(kept, kept.score, root) for kept in high),
            colours,
        )

    on_test_epoch_end = on_validation_epoch_end


class _Content:
    """One image of a batch, which is reduced only if it is kept."""

    def __init__(self, module: L.LightningModule, batch: Any, outputs: Tensor, columns: Columns, place: int) -> None:
        self.module, self.batch, self.outputs, self.columns, self.place = module, batch, outputs, columns, place
        self._reduced: dict[str, Any] | None = None

    def reduced(self) -> dict[str, Any]:
        if self._reduced is None:
            image = self.batch["image"][self.place]
            small = shrink(pixels_of(image if image.ndim == 3 else image[0]), SIDE)
            self._reduced = {"path": str(self.batch["path"][self.place]), "image": small, **self._more(small.shape[:2])}
        return self._reduced

    def _more(self, size: tuple[int, ...]) -> dict[str, Any]:
        labels: Any = self.module.labels
        if isinstance(labels, LabelSet):
            maps = {"label": self.batch["mask"][self.place], "prediction": self.outputs[self.place]}
            return {"note": "", **{name: _small_map(ids, size) for name, ids in maps.items()}}
        truth, predicted = (labels.names[int(self.columns[name][self.place])] for name in ("label", "predicted"))
        share = 100 * float(self.columns["confidence"][self.place])
        return {"note": f"{truth}, predicted {predicted} ({share:.0f} %)"}


def _small_map(ids: Tensor, size: tuple[int, ...]) -> NDArray[np.uint8]:
    values = ids.cpu().numpy().astype(np.uint8)
    small = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, dtype=np.uint8)


def _scores(columns: Columns, labels: Any) -> NDArray[np.float64]:
    """mIoU of each image, over the classes that occur in it; of a classifier the negative loss."""
    if not isinstance(labels, LabelSet):
        return -np.asarray(columns["loss"], dtype=np.float64)
    parts = np.split(np.asarray(columns["counts"], dtype=np.float64), 3, axis=1)
    right, labelled, predicted = (part[:, : len(labels)] for part in parts)
    union = labelled + predicted - right
    iou = np.divide(right, union, out=np.full_like(right, np.nan), where=union > 0)
    occurs = np.isfinite(iou).sum(1)
    return np.asarray(np.divide(np.nansum(iou, 1), occurs, out=np.full(len(iou), np.nan), where=occurs > 0))


def _gathered(heap: list[_Kept], most: int) -> list[_Kept]:
    """The first images of all processes, each once; the same in every process."""
    shares: list[Any] = [heap]
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        shares = [None] * dist.get_world_size()
        dist.all_gather_object(shares, heap)
    found: dict[str, _Kept] = {}
    for kept in sorted((kept for share in shares for kept in share), reverse=True):
        found.setdefault(kept.content["path"], kept)
    return list(found.values())[:most]


def _finished(kept: _Kept, score: float, root: Any) -> Extreme:
    content = kept.content
    maps = {name: _png(content[name]) for name in ("label", "prediction") if name in content}
    (name,) = below([content["path"]], root)
    return Extreme(name=name, score=score, note=content["note"], image=encode(content["image"], SIDE), **maps)


def _png(ids: NDArray[np.uint8]) -> str:
    _, coded = cv2.imencode(".png", ids)
    return f"data:image/png;base64,{base64.b64encode(coded.tobytes()).decode()}"


def keep_extremes(path: Path, trainer: L.Trainer) -> None:
    """Write the images of the last evaluation beside a score file, if the trainer kept any.

    Args:
        path: The score file.
        trainer: The trainer that evaluated.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ExtremeImages) and callback.found.worst:
            write_text(path.parent / FOLDER / path.name, json.dumps(asdict(callback.found)))


def read_extremes(path: Path) -> Extremes:
    """The images beside a score file; none if there is no file.

    Args:
        path: The score file.
    """
    file = path.parent / FOLDER / path.name
    if not file.is_file():
        return Extremes()
    content = json.loads(file.read_text(encoding="utf-8"))
    worst, best = (tuple(Extreme(**one) for one in content[name]) for name in ("worst", "best"))
    return Extremes(worst, best, tuple((name, tuple(colour)) for name, colour in content["colours"]))
