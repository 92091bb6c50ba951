"""Pascal VOC 2012 in the layout of its development kit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.voc2012 import VOC2012DataModule


def module(root: Path, **options: object) -> VOC2012DataModule:
    return VOC2012DataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("below", [".", "VOC2012", ".."])
def test_the_root_may_be_each_of_three_folders(voc2012_root: Path, below: str) -> None:
    data = module(voc2012_root / below)
    assert [len(data.find_pairs(split)) for split in ("train", "val", "test")] == [4, 2, 2]


def test_palette_images_give_their_indices(voc2012_root: Path) -> None:
    data = module(voc2012_root)
    pair = data.find_pairs("train")[0]
    stored = np.asarray(Image.open(pair.label))
    assert {0, 7, 15, 20, 255} == set(np.unique(stored))
    assert np.array_equal(data.reader().read(pair)[1], stored)


def test_the_augmented_list_reads_labels_of_both_folders(voc2012_root: Path) -> None:
    pairs = module(voc2012_root, train_list="trainaug").find_pairs("train")
    assert [pair.label.parent.name for pair in pairs] == ["SegmentationClass"] * 4 + ["SegmentationClassAug"]
    assert len(module(voc2012_root, train_list="trainaug").find_pairs("val")) == 2
    assert len(module(voc2012_root, train_list="trainval").find_pairs("train")) == 6


def test_a_list_of_paths_is_read_too(voc2012_root: Path) -> None:
    folder = voc2012_root / "VOC2012/ImageSets/SegmentationAug"
    folder.mkdir()
    (folder / "train_aug.txt").write_text("/JPEGImages/2008_000009.jpg /SegmentationClassAug/2008_000009.png\n\n")
    (voc2012_root / "VOC2012/ImageSets/Segmentation/trainaug.txt").unlink()
    pairs = module(voc2012_root, train_list="trainaug").find_pairs("train")
    assert [pair.label.name for pair in pairs] == ["2008_000009.png"]


def test_a_missing_augmented_list_says_how_to_make_it(voc2012_root: Path) -> None:
    (voc2012_root / "VOC2012/SegmentationClassAug/2008_000009.png").unlink()
    with pytest.raises(DataError, match=r"SegmentationClassAug/2008_000009.png: no such file.*dataset/cls/\*.mat"):
        module(voc2012_root, train_list="trainaug").find_pairs("train")
    (voc2012_root / "VOC2012/ImageSets/Segmentation/trainaug.txt").unlink()
    with pytest.raises(DataError, match=r"trainaug.txt: no such file. .*10582 names"):
        module(voc2012_root, train_list="trainaug").find_pairs("train")


def test_a_listed_image_that_is_missing_is_named(voc2012_root: Path) -> None:
    (voc2012_root / "VOC2012/JPEGImages/2007_000001.jpg").unlink()
    with pytest.raises(DataError, match=r"JPEGImages/2007_000001.jpg: no such file, and 0 more of the train list"):
        module(voc2012_root).find_pairs("train")


def test_another_folder_says_what_to_unpack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder. Unpack VOCtrainval_11-May-2012.tar"):
        module(tmp_path).setup("fit")


def test_published_classes() -> None:
    labels = VOC2012DataModule.label_set
    assert len(labels) == 21
    assert dict(zip(labels.names, labels.colours, strict=True))["person"] == (192, 128, 128)
    assert labels.ids[labels.names.index("tvmonitor")] == 20
