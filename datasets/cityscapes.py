"""Cityscapes, in the layout of the original archives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Unpack

from foveate.datasets.class_lists.cityscapes import CITYSCAPES_ALL
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.folders import labelled_split, require_folders
from foveate.datasets.files.pairs import ENDINGS, Pair, list_images, pair_up
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

    Reads `leftImg8bit/<split>/<city>/*_leftImg8bit.png` (or .jpg) and `gtFine/<split>/<city>/*_gtFine_labelIds.png`. An
    image and its label map share city and what stands before the suffix, so that own cities and free names pair too.
    The labels of the test split are not public: `foveate test` scores val, and says so.

    Foggy Cityscapes: `image_dir` leftImg8bit_foggy and `image_suffix` _leftImg8bit_foggy_beta_0.02. Coarse labels:
    `mask_dir` gtCoarse and, for the 20 000 further images, `train_split` train_extra.

    Args:
        root: The folder that holds leftImg8bit/ and gtFine/.
        image_dir: Folder of the images.
        mask_dir: Folder of the label maps.
        image_suffix: What the names of images end with; `_` and the name of their folder if not given.
        train_split: The folder of the training images, such as train_extra.
        labels: Which label files to read: `labelIds` as in the archive, or `labelTrainIds` made by the official script.
        classes: `train`, the 19 that the benchmark scores, or `all` 34 ids, void ones included; the scores of all are
            told for the 19 classes and the 7 categories too.
        group: What belongs together where the certainty of a score is computed: the frames of a `sequence`, or of a
            `city`; each frame stands for itself if not given.
        options: The options of every segmentation data set; `crop` is 1024 x 1024 if not given.
    """

    label_set = CITYSCAPES
    expected = ADVICE
    defaults = SegmentationOptions(**{**SEGMENTATION_DEFAULTS, "crop": (1024, 1024)})

    def __init__(
        self,
        root: str | None = None,
        *,
        image_dir: str = IMAGES,
        mask_dir: str = LABELS,
        image_suffix: str | None = None,
        train_split: str = "train",
        labels: LabelFiles = "labelIds",
        classes: Literal["train", "all"] = "train",
        group: Literal["sequence", "city"] | None = None,
        **options: Unpack[SegmentationOptions],
    ) -> None:
        if classes == "all" and labels != "labelIds":
            raise DataConfigError(f"classes all needs labels labelIds: files of {labels} hold the 19 classes only")
        self.label_set = CITYSCAPES_ALL if classes == "all" else CITYSCAPES
        self.labels, self.group = labels, group
        self.image_dir, self.mask_dir, self.train_split = image_dir, mask_dir, train_split
        self.image_suffix = f"_{image_dir}" if image_suffix is None else image_suffix
        super().__init__(root, **options)

    def stored_ids(self) -> Table:
        """Stored id -> train id, by the kind of label files."""
        return self.own_labels.to_train_ids() if self.labels == "labelIds" else self.own_labels.check_train_ids()

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "Cityscapes")
        root = self.existing_root()
        folder = self.train_split if split == "train" else split
        require_folders(root, [f"{self.image_dir}/{folder}", f"{self.mask_dir}/{folder}"], ADVICE)
        images = _named(root / self.image_dir / folder, self.image_suffix, ENDINGS)
        labels = _named(root / self.mask_dir / folder, f"_{self.mask_dir}_{self.labels}", (".png",))
        if not images:
            found = list_images(root / self.image_dir / folder, recursive=True)[:1]
            raise DataError(self._no_images(split, found))
        keys = {path: key for named in (images, labels) for key, path in named}
        of_images, of_labels = ([path for _, path in named] for named in (images, labels))
        return pair_up(of_images, of_labels, keys.__getitem__, split=split, advice=ADVICE)

    def groups_of(self, split: str) -> Sequence[str]:
        """The city of each frame, or city and sequence, as `group` says."""
        return self.group_names(self.pairs_of(split)) if self.group else ()

    def group_names(self, pairs: Sequence[Pair]) -> Sequence[str]:
        """The city of each frame, or city and sequence, as `group` says."""
        parts = {"city": 1, "sequence": 2}.get(self.group or "", 0)
        return ["_".join(pair.image.stem.split("_")[:parts]) for pair in pairs] if parts else ()

    def _no_images(self, split: str, found: Sequence[Path]) -> str:
        """What to do where no image has the suffix, given some of the images."""
        none = f"no images in the {split} split"
        if not found:
            return f"{none}. {ADVICE}"
        return f"{none} end with {self.image_suffix}, such as {found[0].name}; give --data.image_suffix"


def _named(folder: Path, suffix: str, endings: Sequence[str]) -> list[tuple[str, Path]]:
    """Files whose names end with a suffix, each with its path below the folder up to there."""
    return [
        (path.relative_to(folder).with_name(path.stem.removesuffix(suffix)).as_posix(), path)
        for path in list_images(folder, recursive=True)
        if path.stem.endswith(suffix) and path.suffix.lower() in endings
    ]
