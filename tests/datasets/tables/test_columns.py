"""Columns of images and labels: what is found without a word, and what has to be said."""

from __future__ import annotations

import pytest

from foveate.datasets.errors import DataConfigError
from foveate.datasets.tables.columns import choose_columns
from foveate.datasets.tables.features import Feature

IMAGE, NUMBER, TEXT = Feature("image"), Feature("number"), Feature("text")
CLASS = Feature("class", ("cat", "dog"))


@pytest.mark.parametrize(
    ("features", "masks", "found"),
    [
        ({"image": IMAGE, "label": IMAGE}, True, ("image", "label")),
        ({"pixel_values": IMAGE, "semantic_segmentation": IMAGE}, True, ("pixel_values", "semantic_segmentation")),
        ({"photo": IMAGE, "x": IMAGE}, True, ("photo", "x")),
        ({"image": IMAGE, "depth": IMAGE, "mask": IMAGE}, True, ("image", "mask")),
        ({"x": IMAGE, "y": CLASS}, False, ("x", "y")),
        ({"img": IMAGE, "fine_label": CLASS, "label": CLASS}, False, ("img", "label")),
        ({"image": IMAGE, "caption": TEXT, "label": NUMBER}, False, ("image", "label")),
    ],
)
def test_columns_are_found_by_type_and_name(features: dict[str, Feature], masks: bool, found: tuple[str, str]) -> None:
    assert choose_columns(features, None, None, masks=masks) == found


def test_what_is_not_clear_is_asked_for() -> None:
    several = {"a": IMAGE, "b": IMAGE, "c": IMAGE}
    with pytest.raises(DataConfigError, match=r"which column holds the masks\? give --data.label_column \(columns: a"):
        choose_columns(several, None, None, masks=True)
    with pytest.raises(DataConfigError, match=r"which column holds the images\? give --data.image_column"):
        choose_columns(several, None, "a", masks=True)
    with pytest.raises(DataConfigError, match=r"which column holds the labels\?"):
        choose_columns({"image": IMAGE, "sex": CLASS, "age": CLASS}, None, None, masks=False)
    assert choose_columns(several, "c", "a", masks=True) == ("c", "a")


def test_a_named_column_has_to_exist_and_to_fit() -> None:
    table = {"image": IMAGE, "label": CLASS}
    with pytest.raises(DataConfigError, match="label_column: no column 'lable'"):
        choose_columns(table, None, "lable", masks=False)
    with pytest.raises(DataConfigError, match=r"image_column: 'label' holds 2 classes; expected image"):
        choose_columns(table, "label", "label", masks=False)
    with pytest.raises(DataConfigError, match="are both 'image'"):
        choose_columns({"image": IMAGE, "mask": IMAGE}, "image", "image", masks=True)
