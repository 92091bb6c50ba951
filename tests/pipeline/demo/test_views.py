"""What the page of `foveate demo` shows of predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import CAMVID, LabelSet
from foveate.pipeline.demo.views import confidence_of, difference_of, overlay_of, table_of
from foveate.pipeline.predictor import Classification, Segmentation

TWO = LabelSet(name="two", names=("car", "<b>sky</b>"), colours=((1, 2, 3), (4, 5, 6)), ids=(0, 1))
IMAGE = np.full((2, 4, 3), 100, np.uint8)


def segmentation(labels: list[list[int]], label_set: LabelSet = CAMVID, confidence: float = 1.0) -> Segmentation:
    ids = np.array(labels, np.uint8)
    sure = np.full(ids.shape, confidence, np.float32)
    return Segmentation(name="x", image=IMAGE, labels=ids, confidence=sure, label_set=label_set)


def test_the_table_has_the_classes_that_occur_the_largest_first_and_no_foreign_markup() -> None:
    table = table_of(segmentation([[1, 1, 1, 0], [1, 1, 1, 0]], TWO))
    assert table.index("75.0%") < table.index("25.0%")
    assert "&lt;b&gt;sky" in table
    assert "<b>" not in table
    assert "rgb(4,5,6)" in table
    assert "pedestrian" not in table_of(segmentation([[0, 0, 0, 0], [0, 0, 0, 0]]))


def test_the_table_of_a_classifier_has_its_probabilities() -> None:
    classes = ClassSet(name="pets", names=("cat", "dog"))
    values = np.array([0.25, 0.75], np.float32)
    table = table_of(Classification(name="x", probabilities=values, label_set=classes))
    assert table.index("dog") < table.index("cat")
    assert "75.0%" in table


def test_confidence_goes_from_chance_to_one() -> None:
    labels = [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert confidence_of(segmentation(labels, TWO, 1.0))[0, 0].tolist() == [253, 231, 37]
    assert confidence_of(segmentation(labels, TWO, 0.5))[0, 0].tolist() == [68, 1, 84]


def test_models_are_compared_by_the_names_of_their_classes() -> None:
    first = segmentation([[0, 1, 0, 1], [0, 1, 0, 1]], TWO)
    turned = replace(TWO, names=TWO.names[::-1])
    picture, told = difference_of(first, segmentation([[1, 0, 1, 0], [1, 0, 1, 0]], turned))
    assert "0.0%" in told
    assert np.array_equal(picture, overlay_of(first, 0.0))
    picture, told = difference_of(first, segmentation([[1, 0, 1, 1], [1, 0, 1, 1]], turned))
    assert "25.0%" in told
    assert (picture[:, 3] == (255, 0, 0)).all()
