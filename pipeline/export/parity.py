"""Whether an exported model agrees with PyTorch in float32, on real images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foveate.datasets.labels import IGNORE
from foveate.pipeline.export.contract import LABELS
from foveate.pipeline.export.images import Sample, Size
from foveate.pipeline.export.runtime import ExportedModel
from foveate.pipeline.resampling.counts import Array, DenseCounts
from foveate.pipeline.resampling.intervals import as_pairs, bootstrap_intervals
from foveate.pipeline.text import markdown_table

LEAST = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.98, "int8": 0.99}  # share of equal pixels, or of equal top classes
POINT = 0.01  # change of mIoU or accuracy that an int8 file may have instead
Run = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two models agree on images of one size.

    Attributes:
        size: Height and width of the images.
        images: How many images.
        equal: Share of pixels with the same class, or of images with the same top class.
        error: Largest difference of a logit; None if the file gives labels.
        relative_error: The same as a share of the largest logit.
        figure: miou or accuracy; None if no labels are known.
        reference: That figure of PyTorch.
        exported: That of the file.
        change: The second less the first.
        interval: 95 % interval of the change; None for too few images.
    """

    size: Size
    images: int
    equal: float
    error: float | None = None
    relative_error: float | None = None
    figure: str | None = None
    reference: float | None = None
    exported: float | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None

    def passes(self, precision: str) -> bool:
        """Whether the agreement is within the limits of a precision.

        Args:
            precision: fp32, fp16, bf16 or int8.
        """
        near = self.change is not None and self.change >= -POINT
        return self.equal >= LEAST[precision] or (precision == "int8" and near)


def compare(reference: Run, exported: ExportedModel, samples: Sequence[Sample], size: Size) -> Agreement:
    """Run both models on the images at a size.

    Args:
        reference: The model in PyTorch, from images in bytes to logits.
        exported: The file.
        samples: The images.
        size: Height and width that they are resized to.
    """
    equal, errors, largest, rows = [], [0.0], [1e-12], []
    classes = len(exported.contract.names)
    for sample in (one.resized(size) for one in samples):
        image = sample.image[None]
        with torch.inference_mode():
            logits = reference(image).float().numpy()
        given = exported(image)
        if exported.contract.output == LABELS:
            labels = given
        else:
            labels = given.argmax(1)
            errors.append(_difference(given, logits))
            largest.append(float(np.abs(logits).max()))
        right = logits.argmax(1)
        equal.append(float((labels == right).mean()) if labels.shape == right.shape else 0.0)
        if sample.labels is not None and labels.shape == right.shape:
            rows.append(_counts(right[0], labels[0], sample.labels.numpy(), classes))
    told = exported.contract.output != LABELS
    return Agreement(
        size=size,
        images=len(samples),
        equal=float(np.mean(equal)),
        error=max(errors) if told else None,
        relative_error=max(errors) / max(largest) if told else None,
        **_figures(np.stack(rows), classes, per_pixel=samples[0].labels is not None and samples[0].labels.ndim == 2)
        if len(rows) == len(samples)
        else {},
    )


def _difference(given: NDArray[Any], logits: NDArray[Any]) -> float:
    if given.shape != logits.shape:
        return float("inf")
    return float(np.abs(given.astype(np.float32) - logits).max())


def _counts(reference: Any, exported: Any, labels: Any, classes: int) -> NDArray[np.int64]:
    """Of one image, five counts for each class: right and predicted pixels of either model, and labelled ones."""
    known = labels != IGNORE if np.ndim(labels) else labels >= 0
    truth = np.atleast_1d(labels[known] if np.ndim(labels) else labels)
    counts = []
    for predicted in (reference, exported):
        chosen = np.atleast_1d(predicted[known] if np.ndim(labels) else predicted).astype(np.int64)
        counts += [np.bincount(chosen[chosen == truth], minlength=classes), np.bincount(chosen, minlength=classes)]
    return np.stack([*counts, np.bincount(truth.astype(np.int64), minlength=classes)]).ravel()


def _figures(rows: NDArray[np.int64], classes: int, *, per_pixel: bool) -> dict[str, Any]:
    """mIoU or accuracy of both models, and the change with its interval."""

    def score(sums: Array) -> Array:
        right, chosen, theirs, taken, truth = np.moveaxis(sums.reshape(*sums.shape[:-1], 5, classes), -2, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            if not per_pixel:
                before, after = (hits.sum(-1) / truth.sum(-1) for hits in (right, theirs))
            else:
                before, after = _miou(right, chosen, truth), _miou(theirs, taken, truth)
        return np.stack([before, after, after - before], -1)

    counts = DenseCounts(rows.astype(np.float64))
    before, after, change = score(counts.total()).tolist()
    interval = as_pairs(bootstrap_intervals(counts, lambda sums: score(sums)[..., 2:]))[0] if change else (0.0, 0.0)
    return {
        "figure": "miou" if per_pixel else "accuracy",
        "reference": before,
        "exported": after,
        "change": change,
        "interval": interval,
    }


def _miou(right: Array, chosen: Array, truth: Array) -> Array:
    """Mean IoU over the classes that have labels or are predicted."""
    union = chosen + truth - right
    iou = right / np.maximum(union, 1)
    return np.asarray(iou.sum(-1) / np.maximum((union > 0).sum(-1), 1))


def as_table(agreements: Sequence[Agreement]) -> str:
    """The agreements as a table.

    Args:
        agreements: At each size.
    """
    figure = next((one.figure for one in agreements if one.figure), None)
    headings = ["size", "images", "equal", "largest logit error", *([f"{figure} here", "change"] if figure else [])]
    rows = [[*_cells(one), *(_figure_cells(one) if figure else [])] for one in agreements]
    return "\n".join(markdown_table(headings, rows, padded=True))


def _cells(one: Agreement) -> list[str]:
    error = "-" if one.error is None else f"{one.error:.2g} ({one.relative_error:.2g} of the largest)"
    return [f"{one.size[0]} x {one.size[1]}", str(one.images), f"{one.equal:.4%}", error]


def _figure_cells(one: Agreement) -> list[str]:
    if one.exported is None or one.change is None:
        return ["-", "-"]
    interval = "" if one.interval is None else f" [{100 * one.interval[0]:+.2f}, {100 * one.interval[1]:+.2f}]"
    return [f"{100 * one.exported:.2f} %", f"{100 * one.change:+.2f}{interval}"]


def as_json(agreements: Sequence[Agreement], precision: str, file: str) -> dict[str, Any]:
    """What parity.json holds.

    Args:
        agreements: At each size.
        precision: Of the file.
        file: Its name.
    """
    return {
        "file": file,
        "passed": all(one.passes(precision) for one in agreements),
        "reference": "PyTorch, float32",
        "precision": precision,
        "limits": {
            "least_equal": LEAST[precision],
            "or_change_of_at_least": -POINT if precision == "int8" else None,
        },
        "sizes": [asdict(one) for one in agreements],
    }
