"""ADE20K's scene parsing benchmark, in the layout of its archive."""

from __future__ import annotations

from foveate.datasets.class_lists.ade20k import ADE20K
from foveate.datasets.files.folders import labelled_split, require_folders
from foveate.datasets.files.pairs import Pair, list_images, pair_up, stem
from foveate.datasets.segmentation import SegmentationDataModule

FOLDERS = {"train": "training", "val": "validation"}
ADVICE = (
    "Unpack ADEChallengeData2016.zip, whose folder ADEChallengeData2016 holds images/ and annotations/ with training/ "
    "and validation/ each, and give that folder as --data.root"
)


class ADE20KDataModule(SegmentationDataModule):
    """ADE20K (Zhou et al. 2017): 150 classes of indoor and outdoor scenes; 20210 train and 2000 val images of any size.

    Reads `images/{training,validation}/*.jpg` and `annotations/{training,validation}/*.png`, whose ids 1 to 150 are the
    classes; 0, other objects, is ignored. The labels of the test images are not public: `foveate test` scores val, and
    says so.
    """

    label_set = ADE20K
    expected = ADVICE

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "ADE20K")
        root = self.existing_root()
        images, labels = f"images/{FOLDERS[split]}", f"annotations/{FOLDERS[split]}"
        require_folders(root, [labels, images], ADVICE)
        return pair_up(list_images(root / images), list_images(root / labels), stem, split=split, advice=ADVICE)
