"""The options of a data set in folders of images and masks."""

from __future__ import annotations

from typing import Any, Final, Literal

from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.segmentation_options import SEGMENTATION_DEFAULTS, SegmentationOptions


class FolderDataOptions(SegmentationOptions, total=False):
    """What a data set in folders takes.

    Attributes:
        classes: The classes: a `classes.yaml`, its content, or a list of names; `classes.yaml` in the root if not
            given, and what the masks hold if there is none.
        masks: What the masks hold: `values` (grey or palette), `colours` (RGB or palette), `binary` (black and white,
            also JPEG), or `files` (one for each class); `auto` follows the classes, or looks.
        reduce_zero_label: Whether the value 0 in masks is ignored, where there is no list of classes.
        image_dir: Folder of the images, below the root; found by its name if not given.
        mask_dir: Folder of the masks, likewise.
        image_suffix: What image names end with and masks' do not, such as `_sat`.
        mask_suffix: What mask names end with, such as `_mask`; masks without it are left out.
        pair_by: A regular expression; what it finds in the paths of image and mask must be equal.
        lists: Folder of train.txt, val.txt and test.txt, below the root; found by its name if not given.
        group: A regular expression; images in which it finds the same are never divided between train and val.
        val_share: Share of the groups that become val where there is no val split.
        split_seed: Another number gives another val.
        unpaired: What images without mask, and masks without image, mean: `error`, or `skip`, which leaves them out.
    """

    classes: str | dict[str, Any] | list[Any] | None
    masks: Literal["auto", "values", "colours", "binary", "files"]
    reduce_zero_label: bool
    image_dir: str | None
    mask_dir: str | None
    image_suffix: str | None
    mask_suffix: str | None
    pair_by: str | None
    lists: str | None
    group: str | None
    val_share: float
    split_seed: int
    unpaired: Literal["error", "skip"]


FOLDER_DEFAULTS: Final = FolderDataOptions(
    **SEGMENTATION_DEFAULTS,
    classes=None,
    masks="auto",
    reduce_zero_label=False,
    image_dir=None,
    mask_dir=None,
    image_suffix=None,
    mask_suffix=None,
    pair_by=None,
    lists=None,
    group=None,
    val_share=0.2,
    split_seed=0,
    unpaired="error",
)


def folder_options(options: FolderDataOptions) -> FolderOptions:
    """The part of complete options that says where files are.

    Raises:
        DataConfigError: A value is out of range, or two options contradict each other.
    """
    names = FolderOptions.__dataclass_fields__
    return FolderOptions(**{name: options[name] for name in names})  # type: ignore[literal-required]
