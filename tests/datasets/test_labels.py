"""What the numbers in a label map mean."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from foveate.datasets.labels import CAMVID, CITYSCAPES, IGNORE, INVALID, LabelSet

SETS = [CITYSCAPES, CAMVID]
TUPLES = ("names", "colours", "ids", "void_ids")
IDS = [label_set.name for label_set in SETS]


@pytest.mark.parametrize("labels", SETS, ids=IDS)
def test_train_ids_and_regular_ids_undo_each_other(labels: LabelSet) -> None:
    trained = np.arange(len(labels))
    assert np.array_equal(labels.to_train_ids()[labels.to_regular_ids()[trained]], trained)


@pytest.mark.parametrize("labels", SETS, ids=IDS)
def test_every_id_is_a_class_void_or_undefined(labels: LabelSet) -> None:
    table = labels.to_train_ids()
    assert set(np.flatnonzero(table < len(labels))) == set(labels.ids)
    assert set(np.flatnonzero(table == IGNORE)) == set(labels.void_ids)
    assert (table[(table >= len(labels)) & (table != IGNORE)] == INVALID).all()


@pytest.mark.parametrize("labels", SETS, ids=IDS)
def test_files_of_train_ids_keep_them(labels: LabelSet) -> None:
    table = labels.check_train_ids()
    assert table[: len(labels)].tolist() == list(range(len(labels)))
    assert table[IGNORE] == IGNORE
    assert (table[len(labels) : IGNORE] == INVALID).all()


@pytest.mark.parametrize("labels", SETS, ids=IDS)
def test_the_palette_has_a_colour_for_each_class_and_black_for_the_rest(labels: LabelSet) -> None:
    palette = labels.palette()
    assert [tuple(colour) for colour in palette[: len(labels)].tolist()] == list(labels.colours)
    assert not palette[len(labels) :].any()
    assert len(set(labels.colours)) == len(set(labels.names)) == len(labels)


@pytest.mark.parametrize(
    ("regular", "trained", "name"), [(7, 0, "road"), (11, 2, "building"), (24, 11, "person"), (33, 18, "bicycle")]
)
def test_cityscapes_ids_are_the_published_ones(regular: int, trained: int, name: str) -> None:
    assert CITYSCAPES.to_train_ids()[regular] == trained
    assert CITYSCAPES.names[trained] == name


def test_the_34_ids_of_cityscapes_are_all_accounted_for() -> None:
    assert sorted({*CITYSCAPES.ids, *CITYSCAPES.void_ids}) == [*range(34), 255]
    assert len(CITYSCAPES) == 19


def test_ignored_pixels_become_regular_id_0() -> None:
    assert CITYSCAPES.to_regular_ids()[IGNORE] == 0


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="'x': names, colours and ids differ in number"):
        LabelSet(name="x", names=("a", "b"), colours=((0, 0, 0),), ids=(0, 1))


def test_levels_survive_plain_values_and_may_be_missing() -> None:
    stored = json.loads(json.dumps(asdict(CITYSCAPES)))
    tupled = {key: tuple(map(tuple, v)) if key == "colours" else tuple(v) for key, v in stored.items() if key in TUPLES}
    assert LabelSet(**{**stored, **tupled}) == CITYSCAPES
    del stored["levels"]
    assert LabelSet(**{**stored, **tupled}).levels == {}
    with pytest.raises(ValueError, match="level 'a' names a class twice"):
        replace(CITYSCAPES, levels={"a": {"b": ("road", "road")}})
