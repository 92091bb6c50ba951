"""What the names of folders say: whether they hold images or masks, and of which split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["image", "mask"]
IMAGES = frozenset(
    {"image", "images", "img", "imgs", "jpegimages", "pngimages", "photo", "photos", "picture", "pictures"}
)
MASKS = frozenset(
    {"mask", "masks", "label", "labels", "annotation", "annotations", "ann", "annot", "anno", "gt", "groundtruth"}
    | {"segmentationclass", "segmentationclassaug", "segmentationclassraw", "segmentation", "segmentations", "seg"}
    | {"labelmap", "labelmaps", "indexlabel", "trimaps"}
)
SPLITS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval"), "val"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
}
FILLERS = frozenset({"dir", "set", "png", "jpg", "tif", "data", "files", "semantic", "class", "ids", "rgb"})
WORD = re.compile(r"[a-z]+|\d+", re.ASCII)
YEAR = re.compile(r"(19|20)\d\d")  # as in train2017
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
LONG = sorted((word for word in SPLITS if len(word) > 2), key=len, reverse=True)
JOINED = re.compile(rf"({'|'.join(LONG)})(annot|masks?|labels?|images?|imgs?)|(images|labels)(tr|ts)")  # trainannot


@dataclass(frozen=True)
class FolderName:
    """What one folder's name says.

    Attributes:
        role: Whether it holds images or masks; None if the name does not say.
        split: train, val or test; None if the name does not say.
    """

    role: Role | None = None
    split: str | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether it is a name like any other."""
        return self.role is None and self.split is None


def understand_name(name: str) -> FolderName:
    """What a folder's name says. A name with any other word in it says nothing.

    Args:
        name: The name of one folder, in any letter case.

    Example:
        >>> understand_name("imagesTr"), understand_name("valid")
        (FolderName(role='image', split='train'), FolderName(role=None, split='val'))
        >>> understand_name("train station")
        FolderName(role=None, split=None)
    """
    words = _words(name)
    roles = {role for word in words if (role := _role_of(word))}
    splits = {SPLITS[word] for word in words if word in SPLITS}
    known = all(_role_of(word) or word in SPLITS or word in FILLERS or YEAR.fullmatch(word) for word in words)
    if not known or len(roles) > 1 or len(splits) > 1 or not (roles or splits):
        return FolderName()
    return FolderName(next(iter(roles), None), next(iter(splits), None))


def without_split(name: str) -> str:
    """A folder's name with its split replaced.

    Args:
        name: The name of one folder, in any letter case.

    Example:
        >>> without_split("trainannot"), without_split("imagesTr"), without_split("masks")
        ('<split>annot', 'images<split>', 'masks')
    """
    lower = name.lower()
    found = next((word for word in LONG if word in lower), None)
    if found:
        start = lower.index(found)
        return f"{name[:start]}<split>{name[start + len(found) :]}"
    return f"{name[:-2]}<split>" if lower[-2:] in ("tr", "ts") and understand_name(name).split else name


def _role_of(word: str) -> Role | None:
    return "image" if word in IMAGES else "mask" if word in MASKS else None


def _words(name: str) -> list[str]:
    """The words of a name, in small letters."""
    lower = name.lower()
    if lower in IMAGES or lower in MASKS or lower in SPLITS:
        return [lower]
    joined = JOINED.fullmatch(lower)
    if joined:
        return [part for part in joined.groups() if part]
    return WORD.findall(CAMEL.sub(" ", name).lower())
