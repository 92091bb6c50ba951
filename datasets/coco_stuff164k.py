"""COCO-Stuff with all 164 000 images, in the layouts of its archives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from foveate.datasets.class_lists.coco_stuff import COCO_STUFF
from foveate.datasets.errors import DataError
from foveate.datasets.files.folders import first_folder, labelled_split, require_folders
from foveate.datasets.files.pairs import Pair, list_images, pair_up
from foveate.datasets.labels import Table
from foveate.datasets.segmentation import SegmentationDataModule

TRAIN_IDS = "_labelTrainIds"
LABELS = ("annotations/{}", "stuffthingmaps_trainval2017/{}", "stuffthingmaps/{}")
IMAGES = ("images/{}", "{}")
ADVICE = (
    "Unpack train2017.zip and val2017.zip into images/, stuffthingmaps_trainval2017.zip into annotations/, and give "
    "the folder that holds both as --data.root (images as train2017/ and val2017/, and label maps in "
    "stuffthingmaps_trainval2017/, are found too)"
)


class COCOStuff164kDataModule(SegmentationDataModule):
    """COCO-Stuff 164k (Caesar et al. 2018, arXiv:1612.03716): 171 classes; 118287 train, 5000 val images of 480 x 640.

    Reads `{train,val}2017/*.jpg` and the pixel maps of the archive, whose ids are 0 to 181 without eleven unused ones;
    255 is ignored. Where a folder holds `*_labelTrainIds.png` with the ids 0 to 170, as conversion scripts write them,
    those are read instead. The labels of the test images are not public: `foveate test` scores val, and says so.
    """

    label_set = COCO_STUFF
    expected = ADVICE

    def stored_ids(self) -> Table:
        """Stored id -> train id, by the kind of label files."""
        return self.own_labels.check_train_ids() if self._holds_train_ids else self.own_labels.to_train_ids()

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "COCO-Stuff")
        root = self.existing_root()
        images, labels = (_folder(root, kind, split) for kind in (IMAGES, LABELS))
        require_folders(root, [labels, images], ADVICE)
        kind = TRAIN_IDS if self._holds_train_ids else ""
        found = [path for path in list_images(root / labels) if path.stem.endswith(kind)]
        found = found if kind else [path for path in found if TRAIN_IDS not in path.stem]
        return pair_up(list_images(root / images), found, _number, split=split, advice=ADVICE)

    @cached_property
    def _holds_train_ids(self) -> bool:
        """Whether there are label files of train ids, in every split."""
        root = self.existing_root()
        held = {}
        for split in ("train", "val"):
            folder = root / _folder(root, LABELS, split)
            if folder.is_dir():
                held[folder] = next(folder.glob(f"[!.]*{TRAIN_IDS}.png"), None) is not None
        if len(set(held.values())) > 1:
            with_ids, without = sorted(held, key=lambda folder: not held[folder])
            raise DataError(
                f"{with_ids} holds files *{TRAIN_IDS}.png, but {without} does not: convert both or none, so that all "
                "splits are read by one table"
            )
        return any(held.values())


def _folder(root: Path, candidates: Sequence[str], split: str) -> str:
    return first_folder(root, [path.format(f"{split}2017") for path in candidates])


def _number(path: Path) -> str:
    """The number of an image, which its label map has too."""
    return path.stem.removesuffix(TRAIN_IDS)
