"""ISPRS Potsdam, in the layout of its archives: tiles of 6000 x 6000, and label maps in colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Unpack

from foveate.datasets.class_lists.potsdam import BOUNDARY, POTSDAM
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.folders import require_folders
from foveate.datasets.files.pairs import Pair, list_images, pair_up
from foveate.datasets.labels import IGNORE
from foveate.datasets.masks.colours import ColourMasks
from foveate.datasets.masks.reader import MaskReader
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.segmentation_options import SegmentationOptions
from foveate.datasets.text import near

Channels = Literal["RGB", "IRRG"]
FOLDERS = {"RGB": "2_Ortho_RGB", "IRRG": "3_Ortho_IRRG"}
LABELS, WITHOUT_BOUNDARY = "5_Labels_all", "5_Labels_all_noBoundary"
# The tiles whose labels the contest gave for training, and those that it kept for its test; published since.
TRAIN = tuple(
    f"{row}_{column}"
    for row, columns in ((2, "10 11 12"), (3, "10 11 12"), (4, "10 11 12"), (5, "10 11 12"), (6, "7 8 9 10 11 12"),
                         (7, "7 8 9 10 11 12"))
    for column in columns.split()
)  # fmt: skip
TEST = tuple(
    f"{row}_{column}"
    for row, columns in ((2, "13 14"), (3, "13 14"), (4, "13 14 15"), (5, "13 14 15"), (6, "13 14 15"), (7, "13"))
    for column in columns.split()
)
ADVICE = (
    f"Unpack {FOLDERS['RGB']}.zip (or {FOLDERS['IRRG']}.zip) and {LABELS}.zip into folders of these names, and give "
    "the folder that holds them as --data.root; `train` reads 24 tiles, `val` and `test` the 14 of the contest's test"
)


class PotsdamDataModule(SegmentationDataModule):
    """ISPRS Potsdam: 6 classes of land cover at 5 cm; 24 train and 14 test tiles of 6000 x 6000; val is the test tiles.

    Reads `2_Ortho_RGB/top_potsdam_X_Y_RGB.tif` and `5_Labels_all/top_potsdam_X_Y_label.tif`, whose colours are the
    classes. A whole tile is decoded for every crop: with `cache: packed` only the rows of the crop are read.

    Args:
        root: The folder that holds 2_Ortho_RGB/ and 5_Labels_all/.
        channels: Which images: `RGB`, or `IRRG` (infrared, red, green).
        boundary: Whether pixels at the borders of objects count; false reads `5_Labels_all_noBoundary`, where they are
            black, and ignores them in training and scores.
        leave_out: Train tiles that are not used, such as `[7_10]`, whose labels are known to be faulty.
        options: The options of every segmentation data set.
    """

    label_set = POTSDAM
    expected = ADVICE

    def __init__(
        self,
        root: str | None = None,
        *,
        channels: Channels = "RGB",
        boundary: bool = True,
        leave_out: list[str] | None = None,
        **options: Unpack[SegmentationOptions],
    ) -> None:
        super().__init__(root, **options)
        self.channels: Channels = channels
        self.boundary = boundary
        self.train_tiles = _without(TRAIN, leave_out or [])

    def mask_reader(self) -> MaskReader:
        """Reads colours as train ids before the label map; black is ignored in the files without boundaries."""
        table = self.id_table()
        known = zip(self.own_labels.colours, self.own_labels.ids, strict=True)
        colours = {colour: int(table[number]) for colour, number in known}
        return ColourMasks(colours if self.boundary else {**colours, BOUNDARY: IGNORE})

    def find_pairs(self, split: str) -> list[Pair]:
        """The pairs of a split."""
        root = self.existing_root()
        images, labels = FOLDERS[self.channels], LABELS if self.boundary else WITHOUT_BOUNDARY
        require_folders(root, [labels, images], ADVICE)
        tiles = self.train_tiles if split == "train" else TEST
        pictures, colours = (_of_tiles(list_images(root / path, recursive=True), tiles) for path in (images, labels))
        if missing := [tile for tile in tiles if tile not in {_tile(path) for path in (*pictures, *colours)}]:
            raise DataError(f"{root}: no tile {missing[0]}, and {len(missing) - 1} more of the {split} split. {ADVICE}")
        return pair_up(pictures, colours, _tile, split=split, advice=ADVICE)


def _tile(path: Path) -> str:
    """Row and column, such as 2_10: what an image and its label map share."""
    return "_".join(path.stem.split("_")[2:4])


def _of_tiles(paths: Sequence[Path], tiles: Sequence[str]) -> list[Path]:
    return [path for path in paths if path.stem.startswith("top_potsdam_") and _tile(path) in tiles]


def _without(tiles: Sequence[str], left_out: Sequence[str]) -> list[str]:
    for tile in left_out:
        if tile not in tiles:
            raise DataConfigError(f"leave_out: no train tile {tile!r}{near(tile, tiles)} (tiles: {', '.join(tiles)})")
    return [tile for tile in tiles if tile not in left_out]
