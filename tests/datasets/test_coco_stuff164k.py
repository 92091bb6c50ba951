"""COCO-Stuff in the layouts of its archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.class_lists.coco_stuff import UNUSED
from foveate.datasets.coco_stuff164k import COCOStuff164kDataModule
from foveate.datasets.errors import DataError


def module(root: Path) -> COCOStuff164kDataModule:
    return COCOStuff164kDataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0)


def write_train_ids(root: Path, split: str) -> None:
    """What a conversion script writes beside the pixel maps."""
    for path in (root / "annotations" / split).glob("*[0-9].png"):
        table = COCOStuff164kDataModule.label_set.to_train_ids()
        Image.fromarray(table[np.asarray(Image.open(path))]).save(path.with_name(f"{path.stem}_labelTrainIds.png"))


def test_171_ids_of_0_to_181_are_classes() -> None:
    labels = COCOStuff164kDataModule.label_set
    assert len(labels) == len(set(labels.names)) == 171
    assert sorted({*labels.ids, *UNUSED}) == list(range(182))
    known = {0: "person", 12: "stop sign", 89: "toothbrush", 91: "banner", 181: "wood"}
    assert {number: labels.names[labels.ids.index(number)] for number in known} == known


def test_pixel_maps_are_read(coco_stuff164k_root: Path) -> None:
    data = module(coco_stuff164k_root)
    pairs = data.find_pairs("train")
    assert [pair.image.stem for pair in pairs] == [pair.label.stem for pair in pairs]
    assert set(np.unique(data.reader().read(pairs[0])[1])) == {0, 11, 80, 170, 255}


def test_the_layout_of_the_plain_archives_is_found(coco_stuff164k_root: Path) -> None:
    root = coco_stuff164k_root
    (root / "annotations").rename(root / "stuffthingmaps_trainval2017")
    for split in ("train2017", "val2017"):
        (root / "images" / split).rename(root / split)
    (root / "annotations").mkdir()  # with the JSON files of instances
    assert [len(module(root).find_pairs(split)) for split in ("train", "val", "test")] == [4, 2, 2]


def test_train_ids_are_read_where_they_are(coco_stuff164k_root: Path) -> None:
    before = [
        module(coco_stuff164k_root).reader().read(pair)[1] for pair in module(coco_stuff164k_root).find_pairs("val")
    ]
    for split in ("train2017", "val2017"):
        write_train_ids(coco_stuff164k_root, split)
    data = module(coco_stuff164k_root)
    pairs = data.find_pairs("val")
    assert all("labelTrainIds" in pair.label.name for pair in pairs)
    assert all(np.array_equal(old, data.reader().read(pair)[1]) for old, pair in zip(before, pairs, strict=True))


def test_train_ids_in_one_split_only_are_refused(coco_stuff164k_root: Path) -> None:
    write_train_ids(coco_stuff164k_root, "train2017")
    with pytest.raises(DataError, match=r"train2017 holds files \*_labelTrainIds.png, but .*val2017 does not"):
        module(coco_stuff164k_root).setup("fit")


def test_an_unused_id_is_reported(coco_stuff164k_root: Path) -> None:
    data = module(coco_stuff164k_root)
    pair = data.find_pairs("val")[0]
    Image.fromarray(np.full((48, 64), 11, dtype=np.uint8)).save(pair.label)
    with pytest.raises(DataError, match=r"label id out of range: 11 \(3072 px\)"):
        data.reader().read(pair)


def test_a_missing_folder_says_what_to_unpack(coco_stuff164k_root: Path) -> None:
    with pytest.raises(DataError, match=r"stuffthingmaps_trainval2017.zip into annotations/.*did you mean .*/coco\?"):
        module(coco_stuff164k_root.parent).setup("fit")
