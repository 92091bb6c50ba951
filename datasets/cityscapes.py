"""Cityscapes, in the layout of the original archives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from foveate.datasets.class_lists.cityscapes import CITYSCAPES_ALL
from foveate.datasets.errors import DataConfigError
from foveate.datasets.files.folders import labelled_split, require_folders
from foveate.datasets.files.pairs import Pair, pair_up
from foveate.datasets.labels import CITYSCAPES, Table
from foveate.datasets.layouts import LabelFiles
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.segmentation_options import SEGMENTATION_DEFAULTS, SegmentationOptions

IMAGES, LABELS = "leftImg8bit", "gtFine"
ADVICE = (
    f"Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip into one folder, which then holds {IMAGES}/ "
    f"and {LABELS}/, and give it as --data.root"
)


class CityscapesDataModule(SegmentationDataModule):
    """Cityscapes (Cordts et al. 2016, arXiv:1604.01685): 19 classes, 2975 train and 500 val images of 1024 x 2048.

    Scores are told for the classes and for the 7 categories.

    Reads `leftImg8bit/<split>/<city>/*_leftImg8bit.png` and `gtFine/<split>/<city>/*_gtFine_labelIds.png`. The labels
    of the test split are not public: `foveate test` scores val, and says so.

    Args:
        root: The folder that holds leftImg8bit/ and gtFine/.
        labels: Which label files to read: `labelIds` as in the archive, or `labelTrainIds` made by the official script.
        classes: `train`, the 19 that the benchmark scores, or `all` 34 ids, void ones included; the scores of all are
            told for the 19 classes and the 7 categories too.
        options: The options of every segmentation data set; `crop` is 1024 x 1024 if not given.
    """

    label_set = CITYSCAPES
    defaults = SegmentationOptions(**{**SEGMENTATION_DEFAULTS, "crop": (1024, 1024)})

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: LabelFiles = "labelIds",
        classes: Literal["train", "all"] = "train",
        **options: Unpack[SegmentationOptions],
    ) -> None:
        if classes == "all" and labels != "labelIds":
            raise DataConfigError(f"classes all needs labels labelIds: files of {labels} hold the 19 classes only")
        self.label_set = CITYSCAPES_ALL if classes == "all" else CITYSCAPES
        self.labels = labels
        super().__init__(root, **options)

    def stored_ids(self) -> Table:
        """Stored id -> train id, by the kind of label files."""
        return self.own_labels.to_train_ids() if self.labels == "labelIds" else self.own_labels.check_train_ids()

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "Cityscapes")
        root = self.existing_root()
        require_folders(root, [f"{IMAGES}/{split}", f"{LABELS}/{split}"], ADVICE)
        images = sorted((root / IMAGES / split).glob(f"*/[!.]*_{IMAGES}.png"))
        labels = sorted((root / LABELS / split).glob(f"*/[!.]*_{LABELS}_{self.labels}.png"))
        return pair_up(images, labels, _frame, split=split, advice=ADVICE)


def _frame(path: Path) -> str:
    """City, sequence and frame: what an image and its label map share."""
    return "/".join([path.parent.name, "_".join(path.name.split("_")[:3])])
