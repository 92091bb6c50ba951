"""Cityscapes, in the layout of the original archives."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Unpack

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair, pair_up
from foveate.datasets.labels import CITYSCAPES, Table
from foveate.datasets.layouts import LabelFiles
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.segmentation_options import SEGMENTATION_DEFAULTS, SegmentationOptions

log = logging.getLogger(__name__)

IMAGES, LABELS = "leftImg8bit", "gtFine"
ADVICE = (
    f"Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip into one folder, which then holds {IMAGES}/ "
    f"and {LABELS}/, and give it as --data.root"
)


class CityscapesDataModule(SegmentationDataModule):
    """Cityscapes (Cordts et al. 2016, arXiv:1604.01685): 19 classes, 2975 train and 500 val images of 1024 x 2048.

    Reads `leftImg8bit/<split>/<city>/*_leftImg8bit.png` and `gtFine/<split>/<city>/*_gtFine_labelIds.png`. The labels
    of the test split are not public: `foveate test` scores val, and says so.

    Args:
        root: The folder that holds leftImg8bit/ and gtFine/.
        labels: Which label files to read: `labelIds` as in the archive, or `labelTrainIds` made by the official script.
        options: The options of every segmentation data set; `crop` is 1024 x 1024 if not given.
    """

    label_set = CITYSCAPES
    defaults = SegmentationOptions(**{**SEGMENTATION_DEFAULTS, "crop": (1024, 1024)})

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: LabelFiles = "labelIds",
        **options: Unpack[SegmentationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.labels = labels

    def stored_ids(self) -> Table:
        """Stored id -> train id, by the kind of label files."""
        return self.label_set.to_train_ids() if self.labels == "labelIds" else self.label_set.check_train_ids()

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = self._scored(split)
        root = self.existing_root()
        for folder in (root / IMAGES / split, root / LABELS / split):
            if not folder.is_dir():
                raise DataError(f"{folder}: no such folder. {ADVICE}{_nested(root)}")
        images = sorted((root / IMAGES / split).glob(f"*/[!.]*_{IMAGES}.png"))
        labels = sorted((root / LABELS / split).glob(f"*/[!.]*_{LABELS}_{self.labels}.png"))
        return pair_up(images, labels, _frame, split=split, advice=ADVICE)

    def _scored(self, split: str) -> str:
        if split != "test":
            return split
        log.info("The labels of Cityscapes' test split are not public: the figures below are of val.")
        return "val"


def _frame(path: Path) -> str:
    """City, sequence and frame: what an image and its label map share."""
    return "/".join([path.parent.name, "_".join(path.name.split("_")[:3])])


def _nested(root: Path) -> str:
    """Where the data seems to be, if it is one folder further down."""
    found = next(iter(sorted(root.glob(f"*/{IMAGES}"))), None)
    return f" (did you mean --data.root {found.parent}?)" if found else ""
