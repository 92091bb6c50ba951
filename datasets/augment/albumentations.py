"""Augmentations of albumentations by name, on crops that are made; albumentations meets us in this file only."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foveate.datasets.augment.resizing import ImagePart, MaskPart
from foveate.datasets.errors import DataConfigError
from foveate.datasets.labels import IGNORE

Spec = str | dict[str, Any]


class Augmentations:
    """Further augmentations, in order, of an image and its mask; the same seed gives the same result.

    Args:
        specs: Names of albumentations' transforms, or mappings with `name` and its options, such as
            `{name: GaussianBlur, p: 0.2}`. What moves pixels moves those of the mask too; what it lays bare is ignored.

    Raises:
        DataConfigError: A name or an option is unknown.

    Example:
        >>> augment = Augmentations([{"name": "HorizontalFlip", "p": 1.0}])
        >>> image, mask = augment(np.zeros((2, 3, 3), np.uint8), np.array([[1, 2, 3]] * 2, np.uint8), seed=0)
        >>> mask[0].tolist()
        [3, 2, 1]
    """

    def __init__(self, specs: Sequence[Spec]) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version
        import albumentations

        self._compose: Any = albumentations.Compose([_create(albumentations, spec) for spec in specs])

    def __call__(self, image: ImagePart, mask: MaskPart, *, seed: int) -> tuple[ImagePart, MaskPart]:
        """RGB bytes (H, W, 3) and train ids (H, W) in and out, of the same size.

        Raises:
            DataConfigError: A transform changes the size, or gives no bytes.
        """
        self._compose.set_random_seed(seed)
        out = self._compose(image=image, mask=mask)
        if out["image"].shape != image.shape or out["image"].dtype != np.uint8 or out["mask"].shape != mask.shape:
            raise DataConfigError(
                f"data.augmentations gave {out['image'].dtype} of {out['image'].shape} for bytes of {image.shape}: "
                "leave out what resizes, crops or normalises, which is done elsewhere"
            )
        return out["image"], out["mask"]


def _create(library: Any, spec: Spec) -> Any:
    name, options = (spec, {}) if isinstance(spec, str) else _taken_apart(spec)
    kind = getattr(library, name, None)
    if not (isinstance(kind, type) and issubclass(kind, library.BasicTransform)):
        near = difflib.get_close_matches(name, dir(library), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataConfigError(f"data.augmentations: albumentations has no transform {name!r}{hint}")
    names = inspect.signature(kind).parameters
    unknown = [option for option in options if option not in names]
    if unknown:
        raise DataConfigError(f"data.augmentations: {name} has no option {unknown[0]!r}")
    if "fill_mask" in names:
        options.setdefault("fill_mask", IGNORE)
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise DataConfigError(f"data.augmentations: {name} cannot be built: {error}") from error


def _taken_apart(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    options = dict(spec)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise DataConfigError(f"data.augmentations: a mapping needs a name, such as {{name: GaussianBlur}}, not {spec}")
    return name, options
