"""What a user may say about folders that are not found by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from foveate.datasets.errors import DataConfigError
from foveate.datasets.folders.shares import check_val_share

Unpaired = Literal["error", "skip"]


class FolderPlaces(TypedDict, total=False):
    """Where images and masks are, how they are paired and split, as options of a data set.

    Attributes:
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

    image_dir: str | None
    mask_dir: str | None
    image_suffix: str | None
    mask_suffix: str | None
    pair_by: str | None
    lists: str | None
    group: str | None
    val_share: float
    split_seed: int
    unpaired: Unpaired


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """The same with defaults; its fields are described in FolderPlaces.

    Raises:
        DataConfigError: A value is out of range, or two options contradict each other.
    """

    image_dir: str | None = None
    mask_dir: str | None = None
    image_suffix: str | None = None
    mask_suffix: str | None = None
    pair_by: str | None = None
    lists: str | None = None
    group: str | None = None
    val_share: float = 0.2
    split_seed: int = 0
    unpaired: Unpaired = "error"

    def __post_init__(self) -> None:
        check_val_share(self.val_share)
        if self.pair_by and (self.image_suffix or self.mask_suffix):
            raise DataConfigError("pair_by takes the place of image_suffix and mask_suffix: give one or the other")
        if (self.image_dir is None) != (self.mask_dir is None):
            raise DataConfigError("give both --data.image_dir and --data.mask_dir, or neither")
