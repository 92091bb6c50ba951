"""Augmentations of albumentations in a recipe, or as albumentations stores them; it is used in this file only."""

from __future__ import annotations

import inspect
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foveate.datasets.augment.resizing import ImagePart, MaskPart
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.datasets.labels import IGNORE
from foveate.datasets.text import near

Spec = str | dict[str, Any]
Applied = tuple[str, Mapping[str, Any]]  # name and parameters of a transform
Pipeline = str | Spec | list[Spec]  # a file or a name, a mapping, or a list
MASK_FILLS = ("fill_mask", "mask_drop_value")  # options that say what is written into the mask
REFUSED = {"Morphological": "it grows labels by the size of their numbers, apart from the image"}
FILES = (".json", ".yaml", ".yml")
CLASS = "__class_fullname__"  # albumentations' key of a class in its own format
RGB = 3  # channels that every transform takes
TRIALS = 3
WHERE = "data.augmentations"


class Augmentations:
    """Further augmentations, in order, of an image and its mask; the same seed gives the same result.

    Args:
        specs: Names of albumentations' transforms, or mappings with `name` and its options, such as
            `{name: GaussianBlur, p: 0.2}`. Transforms that hold others take them as `transforms`, such as
            `{name: OneOf, transforms: [GaussianBlur, MedianBlur], p: 0.5}`. Also taken are what
            `albumentations.to_dict` gives, and the path of a JSON or YAML file with any of these, as
            `albumentations.save` writes it. What moves pixels moves those of the mask too; pixels of the mask that
            it uncovers or drops are ignored (255).
        channels: Of the images; transforms that cannot take so many are left out.

    Attributes:
        skipped: Names of the transforms that are left out.

    Raises:
        DataConfigError: A name or an option is unknown, or the file cannot be read.

    Example:
        >>> augment = Augmentations([{"name": "HorizontalFlip", "p": 1.0}])
        >>> image, mask = augment(np.zeros((2, 3, 3), np.uint8), np.array([[1, 2, 3]] * 2, np.uint8), seed=0)
        >>> mask[0].tolist()
        [3, 2, 1]
    """

    def __init__(self, specs: str | Mapping[str, Any] | Sequence[Spec], channels: int = 3) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version
        import albumentations

        skipped: list[str] = []
        built = [_create(albumentations, spec, channels, skipped) for spec in _listed(specs)]
        self._specs = specs
        self._compose: Any = albumentations.Compose([transform for transform in built if transform is not None])
        self.skipped = tuple(dict.fromkeys(skipped))

    def for_channels(self, channels: int) -> Augmentations:
        """The same augmentations for images of another number of channels.

        Args:
            channels: Of the images.
        """
        return Augmentations(self._specs, channels)

    def __call__(
        self, image: ImagePart, mask: MaskPart, *, seed: int, applied: list[Applied] | None = None
    ) -> tuple[ImagePart, MaskPart]:
        """Bytes (H, W, C) and train ids (H, W) in and out, of the same size.

        Args:
            image: The image.
            mask: Its train ids.
            seed: Decides what is applied, and how.
            applied: Takes the name and the parameters of each transform that was applied.

        Raises:
            DataConfigError: A transform changes the size, or gives no bytes.
        """
        self._compose.set_random_seed(seed)
        self._compose.save_applied_params = applied is not None
        out = self._compose(image=image, mask=mask)
        if applied is not None:
            applied += out["applied_transforms"]
        if out["image"].shape != image.shape or out["image"].dtype != np.uint8 or out["mask"].shape != mask.shape:
            raise DataConfigError(
                f"{WHERE} gave {out['image'].dtype} of {out['image'].shape} for bytes of {image.shape}: "
                "leave out transforms that resize, crop or normalise, which is done elsewhere"
            )
        return out["image"], out["mask"]


def _listed(specs: Any) -> list[Any]:
    """Specifications one by one; those of a file, where a path is given."""
    if isinstance(specs, str) and Path(specs).suffix.lower() in FILES:
        return _listed(_read(Path(specs).expanduser()))
    if isinstance(specs, Mapping) and isinstance(specs.get("transform"), Mapping):
        return [specs["transform"]]  # albumentations.to_dict; its version stands beside
    if isinstance(specs, str | Mapping):
        return [specs]
    files = [isinstance(spec, str) and Path(spec).suffix.lower() in FILES for spec in specs]
    return [one for spec, file in zip(specs, files, strict=True) for one in (_listed(spec) if file else [spec])]


def _read(path: Path) -> Any:
    """What a file of albumentations or of our own spelling holds; nothing in it is run."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else parse_yaml(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataConfigError(f"{WHERE}: {path} cannot be read as JSON or YAML: {reason}") from error
    if not isinstance(content, str | list | dict):
        raise DataConfigError(f"{WHERE}: {path} holds no transform")
    return content


def _create(library: Any, spec: Any, channels: int, skipped: list[str]) -> Any:
    """The transform of a specification, with those that it holds; None if it cannot take so many channels."""
    name, options = _taken_apart(spec)
    kind = _find(library, name)
    accepted = inspect.signature(kind).parameters
    holds = issubclass(kind, library.BaseCompose)
    if holds:
        options = {key: value for key, value in options.items() if value is not None}
        inner = options.get("transforms", [])
        if not isinstance(inner, list) or not inner:
            raise DataConfigError(f"{WHERE}: {name} needs transforms, a list such as [GaussianBlur, MedianBlur]")
        built = [_create(library, item, channels, skipped) for item in inner]
        options["transforms"] = [transform for transform in built if transform is not None]
        if not options["transforms"]:
            return None
    transform = _build(name, kind, options, accepted)
    if holds or channels == RGB or _takes(transform, channels):
        return transform
    skipped.append(name)
    return None


def _find(library: Any, name: str) -> Any:
    """The class of a transform by its name."""
    kind = getattr(library, name, None)
    kinds = (library.BasicTransform, library.BaseCompose)
    if not (isinstance(kind, type) and issubclass(kind, kinds)) or kind in kinds:
        raise DataConfigError(f"{WHERE}: albumentations has no transform {name!r}{near(name, _names(library))}")
    if name in REFUSED:
        raise DataConfigError(f"{WHERE}: {name} is no augmentation of label maps: {REFUSED[name]}")
    return kind


def _build(name: str, kind: Any, options: dict[str, Any], accepted: Mapping[str, Any]) -> Any:
    for option in options:
        if option not in accepted:
            raise DataConfigError(f"{WHERE}: {name} has no option {option!r}{near(option, list(accepted))}")
    options.update(_mask_options(options, accepted))
    try:
        transform = kind(**options)
    except (TypeError, ValueError) as error:
        raise DataConfigError(f"{WHERE}: {name} cannot be built: {' '.join(str(error).split())}") from error
    if "fill_mask" not in accepted and getattr(transform, "fill_mask", None) is not None:
        transform.fill_mask = IGNORE  # TimeMasking and FrequencyMasking fill with 0, a class, and take no option
    return transform


def _takes(transform: Any, channels: int) -> bool:
    """Whether a transform works on images of so many channels, as a trial shows."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, channels), dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=np.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tried = [transform(image=image.copy(), mask=mask, force_apply=True)["image"] for _ in range(TRIALS)]
    except Exception:  # foreign code may refuse an image in any way; what fails with RGB too fails as ever
        return channels != RGB and not _takes(transform, RGB)
    return all(np.ndim(one) == 3 and one.shape[2] == channels for one in tried)


def _mask_options(options: Mapping[str, Any], accepted: Mapping[str, Any]) -> dict[str, Any]:
    """What keeps a mask right: pixels that a transform uncovers are ignored, labels are never blended.

    0 is a class here, but albumentations' default, which `albumentations.save` writes. None leaves the mask unchanged.
    """
    fills = {name: IGNORE for name in MASK_FILLS if name in accepted and options.get(name, IGNORE) is not None}
    if "mask_drop_value" not in options:
        fills.pop("mask_drop_value", None)  # of PixelDropout, whose default leaves the mask unchanged
    nearest = {"mask_interpolation": 0} if "mask_interpolation" in accepted else {}
    return fills | nearest


def _taken_apart(spec: Any) -> tuple[str, dict[str, Any]]:
    """Name and options of a transform, of our spelling or albumentations' own."""
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping):
        raise DataConfigError(f"{WHERE}: a transform is a name or a mapping with a name, not {spec!r}")
    options = dict(spec)
    name = options.pop("name", None) or options.pop(CLASS, None)
    options.pop(CLASS, None)
    if not isinstance(name, str):
        raise DataConfigError(f"{WHERE}: a mapping needs a name, such as {{name: GaussianBlur}}, not {spec}")
    return name.rpartition(".")[2], options


def _names(library: Any) -> list[str]:
    kinds = (library.BasicTransform, library.BaseCompose)
    found = {name: getattr(library, name) for name in dir(library)}
    return [name for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, kinds)]
