"""The classes of a recipe's data module, known without its files."""

from __future__ import annotations

from typing import Any

import pytest

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.image_folder import ImageFolderDataModule
from foveate.pipeline.runs.data_modules import known_labels


def data(**arguments: object) -> dict[str, Any]:
    return {"class_path": CityscapesDataModule.__name__, "init_args": arguments}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 19),
        ({"classes": "all"}, 34),
        ({"label_map": {"ignore": ["sky"]}}, 18),
        ({"root": "/nowhere", "crop": "64x64"}, 19),
        ({"unknown": 1}, 19),
    ],
)
def test_options_decide_which_classes_there_are(arguments: dict[str, object], count: int) -> None:
    labels = known_labels(data(**arguments))
    assert labels is not None
    assert len(labels) == count


def test_a_label_map_that_cannot_be_read_is_no_silent_19_classes() -> None:
    with pytest.raises(DataError, match="no such file"):
        known_labels(data(label_map="nope.yaml"))


def test_classes_that_need_files_are_not_known() -> None:
    assert known_labels({"class_path": ImageFolderDataModule.__name__}) is None
