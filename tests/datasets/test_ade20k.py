"""ADE20K in the layout of its archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.ade20k import ADE20KDataModule
from foveate.datasets.errors import DataError


def module(root: Path) -> ADE20KDataModule:
    return ADE20KDataModule(str(root), crop=(32, 32), batch_size=2, num_workers=0)


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("val", 2), ("test", 2)])
def test_pairs_share_their_names(ade20k_root: Path, split: str, count: int) -> None:
    pairs = module(ade20k_root).find_pairs(split)
    assert len(pairs) == count
    assert all(pair.image.stem == pair.label.stem for pair in pairs)


def test_ids_begin_at_1_and_0_is_ignored(ade20k_root: Path) -> None:
    data = module(ade20k_root)
    pair = data.find_pairs("train")[0]
    stored = np.asarray(Image.open(pair.label)).astype(int)
    assert np.array_equal(data.reader().read(pair)[1], np.where(stored == 0, 255, stored - 1))


def test_published_classes() -> None:
    labels = ADE20KDataModule.label_set
    assert (len(labels), len(set(labels.names))) == (150, 150)
    known = {1: ("wall", (120, 120, 120)), 13: ("person", (150, 5, 61)), 150: ("flag", (92, 0, 255))}
    for number, (name, colour) in known.items():
        assert (labels.names[number - 1], labels.colours[number - 1]) == (name, colour)


def test_a_missing_folder_says_what_to_unpack_and_where_the_data_is(ade20k_root: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean --data.root .*/ADEChallengeData2016\?"):
        module(ade20k_root.parent).setup("fit")
    with pytest.raises(DataError, match=r"did you mean --data.root .*/ADEChallengeData2016\?"):
        module(ade20k_root / "images").setup("fit")
    shutil.rmtree(ade20k_root / "images/validation")
    with pytest.raises(DataError, match=r"images/validation: no such folder. Unpack ADEChallengeData2016.zip"):
        module(ade20k_root).setup("fit")


def test_testing_scores_val_and_says_so(ade20k_root: Path, said: pytest.LogCaptureFixture) -> None:
    module(ade20k_root).find_pairs("test")
    assert "test split of ADE20K are not public" in said.text
