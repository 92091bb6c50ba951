"""Pascal VOC 2012, in the layout of the development kit."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from foveate.datasets.class_lists.voc2012 import VOC2012
from foveate.datasets.errors import DataError
from foveate.datasets.files.folders import labelled_split, require_folders
from foveate.datasets.files.pairs import Pair, pair_up, stem
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.segmentation_options import SegmentationOptions

TrainList = Literal["train", "trainval", "trainaug"]
IMAGES, LABELS, MORE_LABELS, LISTS = "JPEGImages", "SegmentationClass", "SegmentationClassAug", "ImageSets/Segmentation"
AUGMENTED = (f"{LISTS}/trainaug.txt", f"{LISTS}/train_aug.txt", "ImageSets/SegmentationAug/train_aug.txt")
ROOTS = (".", "VOC2012", "VOCdevkit/VOC2012")
ADVICE = (
    f"Unpack VOCtrainval_11-May-2012.tar, whose folder VOCdevkit/VOC2012 holds {IMAGES}/, {LABELS}/ and ImageSets/, "
    "and give VOC2012, VOCdevkit or the folder around it as --data.root"
)
AUGMENTED_ADVICE = (
    f"The augmented list needs two things in VOC2012: {AUGMENTED[0]} (10582 names: VOC's train and the Semantic "
    f"Boundaries Dataset's train and val, without VOC's val), and {MORE_LABELS}/ with a PNG of ids for each image that "
    f"has none in {LABELS}/ (in the Semantic Boundaries Dataset: GTcls.Segmentation of dataset/cls/*.mat)"
)


class VOC2012DataModule(SegmentationDataModule):
    """Pascal VOC 2012 (Everingham et al. 2010): 21 classes; 1464 train, 1449 val images of about 500 x 375.

    Reads `JPEGImages/*.jpg` and the palette images `SegmentationClass/*.png` of the names in
    `ImageSets/Segmentation/*.txt`. The labels of the test images are not public: `foveate test` scores val, and says
    so.

    Args:
        root: VOCdevkit/VOC2012, VOCdevkit, or the folder around it.
        train_list: Which images to train with: `train`, `trainval`, or `trainaug`, 10582 images with the labels of the
            Semantic Boundaries Dataset (Hariharan et al. 2011), which reads `trainaug.txt` and `SegmentationClassAug`.
        options: The options of every segmentation data set.
    """

    label_set = VOC2012
    expected = ADVICE

    def __init__(
        self,
        root: str | None = None,
        *,
        train_list: TrainList = "train",
        **options: Unpack[SegmentationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.train_list = train_list

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "Pascal VOC")
        given = self.existing_root()
        root = given / next((path for path in ROOTS if (given / path / LISTS).is_dir()), ".")
        require_folders(root, [LISTS, IMAGES, LABELS], ADVICE)
        names = read_names(self._list(root, split))
        images = [root / IMAGES / f"{name}.jpg" for name in names]
        labels = [_label(root, name) for name in names]
        advice = AUGMENTED_ADVICE if split == "train" and self.train_list == "trainaug" else ADVICE
        if absent := [path for path in (*images, *labels) if not path.is_file()]:
            raise DataError(f"{absent[0]}: no such file, and {len(absent) - 1} more of the {split} list. {advice}")
        return pair_up(images, labels, stem, split=split, advice=advice)

    def _list(self, root: Path, split: str) -> Path:
        """The file that names the images of a split."""
        if split != "train" or self.train_list != "trainaug":
            return root / LISTS / f"{self.train_list if split == 'train' else split}.txt"
        found = next((path for path in AUGMENTED if (root / path).is_file()), None)
        if found is None:
            raise DataError(f"{root / AUGMENTED[0]}: no such file. {AUGMENTED_ADVICE}")
        return root / found


def _label(root: Path, name: str) -> Path:
    """A label map of VOC itself, else of the Semantic Boundaries Dataset."""
    own = root / LABELS / f"{name}.png"
    return own if own.is_file() or not (root / MORE_LABELS).is_dir() else root / MORE_LABELS / f"{name}.png"


def read_names(path: Path) -> list[str]:
    """The names of images in a list: one a line, or the paths of image and label map.

    Args:
        path: The list.

    Raises:
        DataError: It cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}. {ADVICE}") from error
    return [Path(words[0]).stem for line in lines if (words := line.split())]
