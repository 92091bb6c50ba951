"""CamVid, in the layout of the SegNet tutorial."""

from __future__ import annotations

from foveate.datasets.files.folders import require_folders
from foveate.datasets.files.pairs import Pair, list_images, pair_up, stem
from foveate.datasets.labels import CAMVID
from foveate.datasets.segmentation import SegmentationDataModule

ADVICE = "CamVid's folder holds train/ trainannot/ val/ valannot/ (and test/ testannot/), with the same file names"


class CamVidDataModule(SegmentationDataModule):
    """CamVid (Brostow et al. 2009) as the SegNet tutorial gives it: 11 classes; 367 train, 101 val images of 360 x 480.

    Reads images as .png or .jpg from `<split>/` and label maps from `<split>annot/`. The test split is needed by
    `foveate test` only.
    """

    label_set = CAMVID
    expected = ADVICE

    def splits(self) -> tuple[str, ...]:
        """train and val, and test if there is one."""
        return ("train", "val", "test") if (self.existing_root() / "testannot").is_dir() else ("train", "val")

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split."""
        root = self.existing_root()
        require_folders(root, [split, f"{split}annot"], ADVICE)
        return pair_up(list_images(root / split), list_images(root / f"{split}annot"), stem, split=split, advice=ADVICE)
