"""Copy-paste: objects of chosen classes, taken from another training image, are pasted into a training crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from jaxtyping import Float64

from foveate.datasets.augment.draw import Pasted
from foveate.datasets.augment.pasting import CutOut, Objects, paste_object, resize_object
from foveate.datasets.augment.resizing import Image, ImagePart, Mask, MaskPart, Size, Window
from foveate.datasets.counting.classes import ClassCounts
from foveate.datasets.counting.presence import Presence
from foveate.datasets.errors import DataConfigError
from foveate.datasets.loading.rare_classes import rare_class_probabilities
from foveate.datasets.loading.train_order import mix
from foveate.datasets.text import few

RARE = "rare"
WHERE = "copy_paste"
OWN_SEED = 2012_07177  # keeps what is drawn here apart from the rest of a sample's augmentation
Read = Callable[[int], tuple[Image, Mask] | None]


@dataclass(frozen=True, kw_only=True)
class CopyPasteOptions:
    """What `data.copy_paste` says.

    Attributes:
        classes: Names of the classes whose objects are pasted, or `rare`, which draws rare classes more often.
        probability: Of pasting into a crop.
        count: Least and largest number of objects.
    """

    classes: str | Sequence[str]
    probability: float = 0.5
    count: tuple[int, int] = (1, 3)


def parse_copy_paste(given: Mapping[str, Any]) -> CopyPasteOptions:
    """The options in a recipe's mapping.

    Args:
        given: Such as `{classes: rare, probability: 0.5, count: [1, 3]}`; `classes` is needed.

    Raises:
        DataConfigError: An option is unknown, missing or out of range.

    Example:
        >>> parse_copy_paste({"classes": ["pole"], "count": 2})
        CopyPasteOptions(classes=['pole'], probability=0.5, count=(2, 2))
    """
    accepted = tuple(CopyPasteOptions.__dataclass_fields__)
    if unknown := [key for key in given if key not in accepted]:
        raise DataConfigError(f"{WHERE} has no option {unknown[0]!r} (accepted: {', '.join(accepted)})")
    options = dict(given)
    classes: Any = options.get("classes")
    count: Any = options.get("count", (1, 3))
    named = isinstance(classes, list | tuple) and classes and all(isinstance(name, str) for name in classes)
    if classes != RARE and not named:
        raise DataConfigError(f"{WHERE}: classes is {RARE}, or a list of names of classes, not {classes!r}")
    least, most = count if isinstance(count, list | tuple) and len(count) == 2 else (count, count)
    if not (isinstance(least, int) and isinstance(most, int) and 1 <= least <= most):
        raise DataConfigError(f"{WHERE}: count is a number from 1, or a least and a largest one, not {count!r}")
    probability = options.get("probability", 0.5)
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise DataConfigError(f"{WHERE}: probability is 0 to 1, not {probability!r}")
    return CopyPasteOptions(classes=classes, probability=float(probability), count=(least, most))


def class_probabilities(
    options: CopyPasteOptions, names: Sequence[str], counts: ClassCounts
) -> Float64[np.ndarray, " K"]:
    """How often an object of each class is pasted: those named alike, or rare ones as `rare_class_probabilities` says.

    Args:
        options: Name classes.
        names: K names.
        counts: The classes of the training images.

    Raises:
        DataConfigError: A name is no class, or no training image holds any of the classes.
    """
    if options.classes == RARE:
        return rare_class_probabilities(counts.statistics.pixels)
    if unknown := [name for name in options.classes if name not in names]:
        raise DataConfigError(f"{WHERE}: no class named {unknown[0]!r} (classes: {few(names, 40)})")
    chosen = np.array([name in options.classes for name in names]) & (counts.statistics.images > 0)
    if not chosen.any():
        raise DataConfigError(f"{WHERE}: no training image holds {few(options.classes)}")
    return np.asarray(chosen / chosen.sum(), dtype=np.float64)


class CopyPaste:
    """Pastes objects into crops; the same seed pastes the same.

    A class is drawn, then another training image that holds it, then some of its objects; each is resized by a factor
    of its own and pasted anywhere. Pixels that are ignored are never pasted over, and edges are not blended.

    Args:
        options: How often and how many.
        probabilities: How often an object of each class is pasted.
        presence: Which training image holds which class.
        scales: Height and width of an image -> range of the factor by which its objects are resized.

    Source:
        Ghiasi et al. 2021, Simple Copy-Paste (arXiv:2012.07177), for whole objects of labelled instances; here an
        object is a connected area of one class.
    """

    def __init__(
        self,
        options: CopyPasteOptions,
        probabilities: Float64[np.ndarray, " K"],
        presence: Presence,
        scales: Callable[[Size], tuple[float, float]],
    ) -> None:
        self.options = options
        self.probabilities = probabilities
        self.presence = presence
        self.scales = scales

    def paste(
        self, image: ImagePart, mask: MaskPart, *, read: Read, index: int, seed: int
    ) -> tuple[ImagePart, MaskPart, list[Pasted]]:
        """A crop with objects pasted, or the crop itself if none is drawn.

        Args:
            image: Bytes of a part of a resized image; may be a view of a file.
            mask: Its train ids.
            read: Reads a training image and its train ids; None if it is damaged, and nothing is pasted.
            index: Of the image that the crop comes from; no object is taken from it, unless no other holds the class.
            seed: Decides everything.
        """
        random = Random(mix(seed, OWN_SEED))
        if random.random() >= self.options.probability:
            return image, mask, []
        label, source = self._draw_source(random, index)
        donor = read(source)
        if donor is None:
            return image, mask, []
        other, labels = donor
        objects = Objects(labels, label)
        image, mask, pasted = np.array(image), np.array(mask), []
        scales = self.scales((labels.shape[0], labels.shape[1]))
        for number in random.sample(range(len(objects)), min(len(objects), random.randint(*self.options.count))):
            scale = random.uniform(*scales)
            cut = resize_object(objects.cut(other, number), scale)
            top, left = _draw_place(cut, mask, random)
            pixels = paste_object(image, mask, cut, top, left)
            window = Window(top, left, *cut.shape.shape)
            pasted.append(Pasted(label=label, source=source, scale=scale, window=window, pixels=pixels))
        return image, mask, pasted

    def _draw_source(self, random: Random, index: int) -> tuple[int, int]:
        """A class, and an image that holds it."""
        label = random.choices(range(len(self.probabilities)), weights=self.probabilities.tolist())[0]
        images = self.presence.images_with(label)
        others = images[images != index]
        return label, int(random.choice(others if len(others) else images))


def _draw_place(cut: CutOut, mask: MaskPart, random: Random) -> tuple[int, int]:
    """Row and column of an object: anywhere inside the mask; a larger one covers the whole side."""
    sides = zip(cut.shape.shape, mask.shape, strict=True)
    top, left = (random.randint(*sorted((0, limit - side))) for side, limit in sides)
    return top, left
