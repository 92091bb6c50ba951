import numpy as np
import pytest
import yaml

from foveate.datasets.class_file import dump_class_table, parse_class_table, read_class_table, write_class_table
from foveate.datasets.class_table import ClassTable
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.labels import IGNORE, INVALID

CONTENTS = [
    ["sky", "road"],
    {"classes": ["sky", {"name": "road", "values": [7, 8], "color": "#804080"}], "ignore": [99, 300]},
    {"masks": "colours", "classes": [{"name": "a", "colours": [[1, 2, 3], [4, 5, 6]]}], "ignore": [[0, 0, 0]]},
    {"masks": "files", "classes": ["rest", {"name": "a", "files": ["a", "b"]}], "rest": "rest", "overlap": "error"},
    {"name": "näme: with #", "classes": [{"name": "no"}, {"name": "1"}, {"name": "- x"}]},
]


def table(content: object) -> ClassTable:
    return parse_class_table(content, "mine")


@pytest.mark.parametrize("content", CONTENTS, ids=str)
def test_a_written_file_is_read_as_the_same_table(content: object, tmp_path) -> None:
    written = table(content)
    write_class_table(tmp_path / "classes.yaml", written, heading="two\nlines")
    assert read_class_table(tmp_path / "classes.yaml") == written
    assert (tmp_path / "classes.yaml").read_text().startswith("# two\n# lines\n")


def test_classes_without_values_have_those_of_their_position() -> None:
    labels = table(["sky", "road", "car"]).label_set()
    assert (labels.names, labels.ids, labels.void_ids) == (("sky", "road", "car"), (0, 1, 2), (255,))
    assert len(set(labels.colours)) == 3


def test_several_values_mean_one_class_and_others_are_not_defined() -> None:
    values = table(CONTENTS[1]).value_table()
    assert np.flatnonzero(values == 1).tolist() == [7, 8]
    assert np.flatnonzero(values == IGNORE).tolist() == [99, 300]


def test_255_is_a_class_where_one_has_it() -> None:
    values = table([{"name": "background", "value": 0}, {"name": "road", "value": 255}]).value_table()
    assert values[[0, 255]].tolist() == [0, 1]
    assert (values[1:255] == INVALID).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("road", "expected a mapping with `classes`"),
        ({"classes": ["a", "a"]}, "the name 'a' stands for two classes"),
        ({"classes": [{"name": "a", "value": 1}, {"name": "b", "values": [2, 1]}]}, "the value 1 stands for two"),
        ({"classes": ["a"], "ignore": [0]}, "0 is a value of 'a' and stands under ignore too"),
        ({"classes": [{"name": "a", "valeu": 1}]}, "no key 'valeu'"),
        ({"classes": ["a"], "mask": "values"}, "no key 'mask'"),
        ({"classes": [{"name": "a", "value": -1}]}, "0 to 65535, not -1"),
        ({"classes": [{"name": "a", "value": True}]}, "not True"),
        ({"classes": [{"name": "a", "colour": [1, 2]}]}, r"not \[1, 2\]"),
        ({"classes": ["a"], "masks": "colours"}, "needs a colour"),
        ({"classes": ["a"], "masks": "pictures"}, "values, colours, binary, files, not 'pictures'"),
        ({"classes": ["a"], "masks": "files", "rest": "b"}, "rest is ignore or a class"),
        ({"classes": []}, "1 to 253 classes, not 0"),
        ({"classes": [{"value": 1}]}, "needs a name"),
        ({"classes": [f"c{n}" for n in range(300)]}, "not 300"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_accepted(content: object, message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        table(content)


def test_a_missing_or_damaged_file_is_named(tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text("classes: [")
    for name in ("none.yaml", "bad.yaml"):
        with pytest.raises(DataError, match=name):
            read_class_table(tmp_path / name)


def test_the_file_is_yaml_with_one_class_a_line() -> None:
    text = dump_class_table(table(CONTENTS[1]))
    assert yaml.safe_load(text)["classes"][1] == {"name": "road", "values": [7, 8], "colour": [128, 64, 128]}
    assert sum(line.startswith("- ") for line in text.splitlines()) == 2
