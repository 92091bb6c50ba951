"""Images with classes of Hugging Face, in each of their forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.conformance import RULES, DataRule, assert_conforms
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.hub_images import HubImagesDataModule
from foveate.tests.datasets.tables.saved_tables import (
    NAMES,
    WRITERS,
    class_table,
    mask_table,
    pa,
    picture,
    pq,
    write_parquet,
)

TABLES = {"train": class_table("train", 5), "validation": class_table("validation", 4)}


@pytest.mark.parametrize("form", WRITERS)
def test_every_image_is_read_with_its_class(form: str, tmp_path: Path) -> None:
    WRITERS[form](tmp_path / "mine", TABLES)
    data = HubImagesDataModule(str(tmp_path / "mine"))
    names = data.label_set.names
    assert sorted(names) == sorted(NAMES)
    for split, name, count in (("train", "train", 5), ("val", "validation", 4)):
        images = data.find_images(split)
        assert [names[label] for label in images.labels] == [NAMES[n % 3] for n in range(count)]
        assert all(np.array_equal(images.read(n), picture(name, n)) for n in range(count))


def test_numbers_and_texts_without_a_list_of_names_are_numbered_in_order(tmp_path: Path) -> None:
    table = class_table("train", 4).replace_schema_metadata(None).drop_columns(["label"])
    for name, labels in (("numbers", [7, 3, 7, 30]), ("texts", ["owl", "cat", "owl", "hen"])):
        (tmp_path / name).mkdir()
        pq.write_table(table.append_column("label", pa.array(labels)), tmp_path / name / "train.parquet")
    numbers, texts = (HubImagesDataModule(str(tmp_path / name), val_share=0.5) for name in ("numbers", "texts"))
    assert numbers.label_set.names == ("3", "7", "30")
    assert texts.label_set.names == ("cat", "hen", "owl")


def test_names_of_classes_come_from_the_card_where_tables_have_none(tmp_path: Path) -> None:
    pq.write_table(class_table("train", 5).replace_schema_metadata(None), tmp_path / "train.parquet")
    (tmp_path / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': ground\n          '1': car\n          '2': tree\n---\n# Things\n"
    )
    assert HubImagesDataModule(str(tmp_path)).label_set.names == tuple(NAMES)


def test_a_test_split_without_labels_is_not_scored(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    unlabelled = class_table("test", 2)
    unlabelled = unlabelled.set_column(1, "label", pa.array([-1, -1])).replace_schema_metadata(None)
    write_parquet(tmp_path, {**TABLES, "test": unlabelled})
    assert len(HubImagesDataModule(str(tmp_path)).find_images("test")) == 4
    assert "no labelled test split" in said.text


def test_a_label_of_val_that_is_no_class_is_an_error(tmp_path: Path) -> None:
    odd = class_table("validation", 2)
    write_parquet(tmp_path, {**TABLES, "validation": odd.set_column(1, "label", pa.array([0, 9]))})
    with pytest.raises(DataError, match=r"labels of val that are no class: \[9\]"):
        HubImagesDataModule(str(tmp_path)).find_images("val")


def test_label_maps_are_refused_with_the_name_of_the_other(tmp_path: Path) -> None:
    write_parquet(tmp_path, {"train": mask_table("train", 4)})
    with pytest.raises(DataConfigError, match=r"no column of classes .*--data hub and a recipe of a segmenter"):
        HubImagesDataModule(str(tmp_path)).find_images("train")


def test_class_folders_are_read_without_tables(tmp_path: Path) -> None:
    for split, label in (("train", "cat"), ("train", "dog"), ("validation", "cat")):
        (tmp_path / split / label).mkdir(parents=True)
        Image.fromarray(picture(split, 0)).save(tmp_path / split / label / "0.png")
    data = HubImagesDataModule(str(tmp_path))
    assert data.label_set.names == ("cat", "dog")
    assert data.find_images("train").labels.tolist() == [0, 1]
    assert np.array_equal(data.find_images("val").read(0), picture("validation", 0))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_it_keeps_the_rules_of_data_sets(rule: DataRule, tmp_path: Path) -> None:
    write_parquet(tmp_path, TABLES)
    assert_conforms(HubImagesDataModule, root=tmp_path, rules=[rule], image_size=16)


def test_tables_without_rows_are_no_data_set(tmp_path: Path) -> None:
    write_parquet(tmp_path, {"train": class_table("train", 0), "test": class_table("test", 2)})
    with pytest.raises(DataError, match="no images of train; there are test 2"):
        HubImagesDataModule(str(tmp_path)).find_images("train")


def test_tables_whose_names_differ_by_signs_only_are_kept_apart(tmp_path: Path) -> None:
    for folder, number in (("train/a b", 0), ("train/a-b", 1)):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(class_table("train", 8).slice(number), tmp_path / folder / "0000.parquet")
    for _ in range(2):
        data = HubImagesDataModule(str(tmp_path), val_share=0.5)
        images = [data.find_images(split) for split in ("train", "val")]
        assert len([some.read(index) for some in images for index in range(len(some))]) == 15
