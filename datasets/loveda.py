"""LoveDA, in the layout of its archives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from foveate.datasets.class_lists.loveda import LOVEDA
from foveate.datasets.files.folders import labelled_split, require_folders
from foveate.datasets.files.pairs import Pair, list_images, pair_up
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.segmentation_options import SegmentationOptions

Scenes = Literal["both", "Urban", "Rural"]
IMAGES, LABELS = "images_png", "masks_png"
ADVICE = (
    "Unpack Train.zip and Val.zip into one folder, which then holds Train/ and Val/ with Urban/ and Rural/ in each, "
    f"and {IMAGES}/ and {LABELS}/ in those, and give it as --data.root"
)


class LoveDADataModule(SegmentationDataModule):
    """LoveDA (Wang et al. 2021, arXiv:2110.08733): 7 classes of land cover; 2522 train, 1669 val images, 1024 x 1024.

    Reads `{Train,Val}/{Urban,Rural}/images_png/*.png` and `masks_png/*.png`, whose ids 1 to 7 are the classes; 0,
    places without an image, is ignored. The labels of the test split are not public: `foveate test` scores val, and
    says so.

    Args:
        root: The folder that holds Train/ and Val/.
        scenes: Which images: of both kinds of places, or of one.
        options: The options of every segmentation data set.
    """

    label_set = LOVEDA
    expected = ADVICE

    def __init__(
        self,
        root: str | None = None,
        *,
        scenes: Scenes = "both",
        **options: Unpack[SegmentationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.scenes = ("Urban", "Rural") if scenes == "both" else (scenes,)

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split; of val where test is asked for."""
        split = labelled_split(split, "LoveDA")
        root = self.existing_root()
        folders = [f"{split.capitalize()}/{scene}" for scene in self.scenes]
        require_folders(root, [f"{folder}/{kind}" for folder in folders for kind in (LABELS, IMAGES)], ADVICE)
        images = [path for folder in folders for path in list_images(root / folder / IMAGES)]
        labels = [path for folder in folders for path in list_images(root / folder / LABELS)]
        return pair_up(images, labels, _place, split=split, advice=ADVICE)


def _place(path: Path) -> str:
    """The scene and the number: what an image and its label map share."""
    return f"{path.parent.parent.name}/{path.stem}"
