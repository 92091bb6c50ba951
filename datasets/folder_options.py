"""The options of a data set in folders of images and masks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal

from foveate.datasets.folders.options import FolderOptions, FolderPlaces
from foveate.datasets.segmentation_options import SEGMENTATION_DEFAULTS, SegmentationOptions


class FolderDataOptions(FolderPlaces, SegmentationOptions, total=False):
    """What a data set in folders takes.

    Attributes:
        classes: The classes: a `classes.yaml`, its content, or a list of names; `classes.yaml` in the root if not
            given, and what the masks hold if there is none.
        masks: What the masks hold: `values` (grey or palette), `colours` (RGB or palette), `binary` (black and white,
            also JPEG), or `files` (one for each class); `auto` follows the classes, or looks.
        reduce_zero_label: Whether the value 0 in masks is ignored, where there is no list of classes.
    """

    classes: str | dict[str, Any] | list[Any] | None
    masks: Literal["auto", "values", "colours", "binary", "files"]
    reduce_zero_label: bool


FOLDER_DEFAULTS: Final = FolderDataOptions(
    **SEGMENTATION_DEFAULTS,
    classes=None,
    masks="auto",
    reduce_zero_label=False,
    **asdict(FolderOptions()),  # type: ignore[typeddict-item]
)


def folder_options(options: FolderDataOptions) -> FolderOptions:
    """The part of complete options that says where files are.

    Raises:
        DataConfigError: A value is out of range, or two options contradict each other.
    """
    names = FolderOptions.__dataclass_fields__
    return FolderOptions(**{name: options[name] for name in names})  # type: ignore[literal-required]
