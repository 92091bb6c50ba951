"""Chooses the columns of images and labels."""

from __future__ import annotations

from foveate.datasets.errors import DataConfigError
from foveate.datasets.folders.names import IMAGES, MASKS
from foveate.datasets.tables.features import Features
from foveate.datasets.text import few

CLASSES = ("label", "labels", "class", "classes", "category", "target", "fine_label", "coarse_label")
ROLES = {"image": IMAGES | {"pixel", "input"}, "mask": MASKS | {"semantic", "map"}}


def choose_columns(features: Features, image: str | None, label: str | None, *, masks: bool) -> tuple[str, str]:
    """The columns of images and labels: those that are named, or those that types and names leave no doubt about.

    Args:
        features: What each column holds.
        image: The column of images, if the user names it.
        label: The column of labels, likewise.
        masks: Whether labels are images (label maps), or classes of whole images.

    Raises:
        DataConfigError: There is no such column, it holds something else, or several would do.

    Example:
        >>> from foveate.datasets.tables.features import Feature
        >>> table = {"image": Feature("image"), "annotation": Feature("image"), "id": Feature("number")}
        >>> choose_columns(table, None, None, masks=True)
        ('image', 'annotation')
    """
    images = [name for name, feature in features.items() if feature.kind == "image"]
    if label is None:
        label = _find_mask(features, images, image) if masks else _find_class(features, images)
    else:
        _check(features, label, "label_column", ("image",) if masks else ("class", "number", "text"))
    if image is not None:
        _check(features, image, "image_column", ("image",))
    else:
        image = _one([name for name in images if name != label], "image", features, "image_column")
    if image == label:
        raise DataConfigError(f"image_column and label_column are both {label!r}")
    return image, label


def _find_mask(features: Features, images: list[str], image: str | None) -> str:
    if len(images) == 1:
        raise DataConfigError(
            f"no column of label maps ({_listed(features)}); for classes of whole images: --data hub_images and a "
            "recipe of a classifier"
        )
    rest = [name for name in images if name != image and not _has_role(name, "image")]
    return _one(rest or images, "mask", features, "label_column")


def _find_class(features: Features, images: list[str]) -> str:
    named = [name for name, feature in features.items() if feature.kind == "class"]
    usual = [name for name in CLASSES if name in features and features[name].kind in ("number", "text")]
    if not named and not usual and len(images) > 1:
        raise DataConfigError(
            f"no column of classes ({_listed(features)}); for images with label maps: --data hub and a recipe of a "
            "segmenter"
        )
    first = [name for name in named if name in CLASSES[:2]]
    return _one(first[:1] or named or usual[:1], "label", features, "label_column")


def _one(candidates: list[str], role: str, features: Features, option: str) -> str:
    """The only candidate, or the only one whose name says what it is."""
    said = [name for name in candidates if _has_role(name, role)]
    left = candidates if len(candidates) == 1 else said
    if len(left) == 1:
        return left[0]
    raise DataConfigError(f"which column holds the {role}s? give --data.{option} ({_listed(features)})")


def _has_role(name: str, role: str) -> bool:
    words = set(name.lower().replace("-", "_").split("_"))
    return bool(words & ROLES.get(role, set()))


def _check(features: Features, name: str, option: str, kinds: tuple[str, ...]) -> None:
    if name not in features:
        raise DataConfigError(f"{option}: no column {name!r} ({_listed(features)})")
    if features[name].kind not in kinds:
        raise DataConfigError(
            f"{option}: {name!r} holds {features[name]}; expected {' or '.join(kinds)} ({_listed(features)})"
        )


def _listed(features: Features) -> str:
    return f"columns: {few([f'{name} ({feature})' for name, feature in features.items()], 20)}"
