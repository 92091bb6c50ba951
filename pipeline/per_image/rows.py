"""Collects what an evaluation knows of each image, batch by batch, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Integer
from numpy.typing import NDArray
from torch import Tensor

from foveate.datasets.labels import IGNORE, LabelSet
from foveate.pipeline.metrics.confusion import CHUNK

LABELLED = "labelled"
Columns = dict[str, NDArray[Any]]


@dataclass
class ImageRows:
    """The images of an evaluation so far, in this process.

    Attributes:
        paths: Of each image, blanks included, in the order of the loader.
        parts: Columns of each batch.
    """

    paths: list[str] = field(default_factory=list)
    parts: list[Columns] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all images."""
        self.paths, self.parts = [], []

    def add(self, paths: Sequence[str], columns: Mapping[str, Tensor]) -> None:
        """Add a batch.

        Args:
            paths: Of its images.
            columns: What is known of each of them; `labelled` says which have a label.
        """
        self.paths += map(str, paths)
        self.parts.append({name: column.detach().cpu().numpy() for name, column in columns.items()})

    def columns(self) -> Columns:
        """The columns of all images; empty if there are none."""
        names = self.parts[0] if self.parts else ()
        return {name: np.concatenate([part[name] for part in self.parts]) for name in names}


def pixel_columns(
    each: Int64[Tensor, "B K K"],
    logits: Float[Tensor, "B K H W"],
    mask: Integer[Tensor, "B H W"],
    losses: Float[Tensor, " L"],
    labels: LabelSet,
) -> dict[str, Tensor]:
    """What is known of the images of a segmentation batch.

    Args:
        each: Confusion matrix of each image, labels in rows.
        logits: Of the images.
        mask: Their labels.
        losses: Of those that have a labelled pixel.
        labels: The classes.
    """
    valid = mask != IGNORE
    labelled = valid.flatten(1).any(1)
    return {
        LABELLED: labelled,
        "counts": count_kinds(each, labels).to(torch.int32),
        "loss": _spread(losses, labelled),
        "confidence": torch.stack([_mean_confidence(one, some) for one, some in zip(logits, valid, strict=True)]),
    }


def count_kinds(each: Int64[Tensor, "B K K"], labels: LabelSet) -> Int64[Tensor, "B T3"]:
    """Right, labelled and predicted pixels of each class, and then of each group of each level, for each image.

    Args:
        each: Confusion matrix of each image, labels in rows; beyond the classes, what is none of them.
        labels: The classes.
    """
    size = len(labels)
    right = [each.diagonal(dim1=1, dim2=2)[:, :size]]
    labelled, predicted = [each.sum(2)[:, :size]], [each.sum(1)[:, :size]]
    for level in labels.levels:
        member = torch.zeros(len(labels.groups(level)), each.shape[1], dtype=torch.double, device=each.device)
        for number, classes in enumerate(labels.groups(level)):
            member[number, classes] = 1
        rows = member @ each.double()  # exact below 2 to the 53; devices multiply no integers
        merged = rows @ member.T
        right.append(merged.diagonal(dim1=1, dim2=2).long())
        labelled.append(rows.sum(2).long())  # also where no group is predicted, as Cityscapes counts
        predicted.append(merged.sum(1).long())
    return torch.cat([*right, *labelled, *predicted], 1)


def _mean_confidence(logits: Float[Tensor, "K H W"], valid: Bool[Tensor, "H W"]) -> Float[Tensor, ""]:
    """Mean probability of the predicted class over the labelled pixels; NaN if there are none."""
    size = CHUNK if logits.device.type == "cpu" else max(1, valid.numel())
    parts = zip(torch.split(logits.flatten(1), size, 1), torch.split(valid.flatten(), size), strict=True)
    sums = [(part.float().softmax(0).amax(0) * where).sum(dtype=torch.double) for part, where in parts]
    return torch.stack(sums).sum().div(valid.sum()).float()


def _spread(values: Float[Tensor, " L"], where: Bool[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Values of some images among those of all, NaN for the others."""
    spread = torch.full(where.shape, torch.nan, dtype=torch.float32, device=where.device)
    spread[where] = values.float()
    return spread


def label_columns(
    logits: Float[Tensor, "B K"], label: Int64[Tensor, " B"], losses: Float[Tensor, " L"], labelled: Bool[Tensor, " B"]
) -> dict[str, Tensor]:
    """What is known of the images of a classification batch.

    Args:
        logits: Of the images.
        label: Class numbers; -1 for a blank.
        losses: Of the images that have a label.
        labelled: Which have one.
    """
    own = logits.gather(1, label.clamp(min=0)[:, None])
    confidence, predicted = logits.softmax(1).max(1)
    return {
        LABELLED: labelled,
        "label": label.to(torch.int32),
        "predicted": predicted.to(torch.int32),
        "rank": ((logits > own).sum(1) + 1).to(torch.int32),
        "loss": _spread(losses, labelled),
        "confidence": confidence,
    }
